import { constants, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, expect, it } from "vitest";
import { der, ecKeys, makeCertificate, pssKeys } from "../testing/signatures/certificates.ts";
import { type Sign, signPss, signWith } from "../testing/signatures/cosign-signatures.ts";
import { isSignedBy, pss, type SignatureForm } from "./check-signature.ts";
import { verifiesWith } from "./cosign/keys.ts";
import { assertSigningChain } from "./notation/certificate.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
/** Its modulus fills no whole number of bytes. */
const odd = generateKeyPairSync("rsa", { modulusLength: 2049 });
const pssOnly = pssKeys();
const ed25519 = generateKeyPairSync("ed25519");
const p256 = ecKeys("P-256");

/** Something to sign, and its signature, which begins with a zero byte: one in 256 does. */
function zeroFirst(make: Sign): { data: Buffer; signature: Buffer } {
  for (let at = 0; ; at++) {
    const data = Buffer.from(`attempt ${at}`);
    const signature = make(data);
    if (signature[0] === 0) return { data, signature };
  }
}

const auto = pss(constants.RSA_PSS_SALTLEN_AUTO);

describe("an RSA signature that begins with a zero byte", () => {
  it.each<[string, { readonly publicKey: KeyObject }, Sign, SignatureForm]>([
    ["PKCS #1 v1.5", rsa, signWith(rsa.privateKey), {}],
    ["PSS", rsa, signPss(rsa.privateKey), auto],
    ["PSS of a key for it alone", pssOnly, signPss(pssOnly.privateKey), auto],
    ["PSS of an odd modulus", odd, signPss(odd.privateKey), auto],
    ["PSS with a fixed salt", rsa, signPss(rsa.privateKey), pss(constants.RSA_PSS_SALTLEN_DIGEST)],
  ])("is good in its one length: %s", (_, { publicKey }, make, form) => {
    const { data, signature } = zeroFirst(make);
    const good = (bytes: Uint8Array): [boolean, boolean] => [
      isSignedBy(publicKey, { hash: "sha256", form }, data, bytes),
      verifiesWith(publicKey, data, bytes),
    ];
    expect(good(signature)).toEqual([true, true]);
    for (const other of [
      signature.subarray(1),
      Buffer.concat([Buffer.alloc(1), signature]),
      Buffer.concat([signature, Buffer.alloc(1)]),
      signature.subarray(0, -1),
    ])
      expect(good(other)).toEqual([false, false]);
  });

  it("is refused without it in a certificate", () => {
    const root = makeCertificate({ ca: true, keys: pssOnly, subject: { CN: "root" } });
    const issue = (changeSignature: (signature: Buffer) => Buffer): (() => void) => {
      const leaf = makeCertificate({ issuer: root, changeSignature });
      return () => assertSigningChain([leaf.certificate, root.certificate]);
    };
    const begin: number[] = [];
    const keep = (signature: Buffer): Buffer => (begin.push(signature[0]!), signature);
    while (begin.at(-1) !== 0) expect(issue(keep)).not.toThrow();
    const cut: Buffer[] = [];
    const shorten = (signature: Buffer): Buffer => {
      if (signature[0] !== 0) return signature;
      cut.push(signature);
      return signature.subarray(1);
    };
    for (;;) {
      const check = issue(shorten);
      if (cut.length === 0) continue;
      expect(check).toThrow(/was not issued by/);
      break;
    }
  });
});

/** A DER integer that is not negative. */
const integer = (bytes: Buffer): Buffer => der(0x02, ...(bytes[0]! & 0x80 ? [Buffer.alloc(1)] : []), bytes);
const long = (bytes: Buffer): Buffer => Buffer.concat([bytes.subarray(0, 1), Buffer.from([0x81]), bytes.subarray(1)]);
const trimmed = (bytes: Buffer): Buffer => bytes.subarray(bytes.findIndex((byte) => byte !== 0));

describe("other encodings of a good signature are refused", () => {
  const data = Buffer.from("what was signed");
  const fixed = sign("sha256", data, { key: p256.privateKey, dsaEncoding: "ieee-p1363" });
  const [r, s] = [trimmed(fixed.subarray(0, 32)), trimmed(fixed.subarray(32))];
  const good = der(0x30, integer(r), integer(s));

  it.each<[string, Buffer]>([
    ["bytes behind it", Buffer.concat([good, Buffer.alloc(1)])],
    ["bytes inside of it", der(0x30, integer(r), integer(s), Buffer.from([0x05, 0x00]))],
    ["a length in the long form", long(good)],
    ["a number with a zero before it", der(0x30, der(0x02, Buffer.alloc(2), r), integer(s))],
    ["a number in the long form", der(0x30, long(integer(r)), integer(s))],
    ["two bare numbers", fixed],
    ["the same in hexadecimal", Buffer.from(good.toString("hex"))],
  ])("ECDSA: %s", (_, other) => {
    expect(verifiesWith(p256.publicKey, data, good)).toBe(true);
    expect(verifiesWith(p256.publicKey, data, other)).toBe(false);
  });

  it.each<[string, (bytes: Buffer) => Buffer]>([
    ["one byte more", (bytes) => Buffer.concat([bytes, Buffer.alloc(1)])],
    ["one byte less", (bytes) => bytes.subarray(0, -1)],
    ["zeros before both numbers", (bytes) => Buffer.concat([zero, bytes.subarray(0, 32), zero, bytes.subarray(32)])],
    ["DER", () => good],
  ])("ECDSA of fixed length: %s", (_, change) => {
    const check = (bytes: Buffer): boolean =>
      isSignedBy(p256.publicKey, { hash: "sha256", form: { dsaEncoding: "ieee-p1363" } }, data, bytes);
    expect(check(fixed)).toBe(true);
    expect(check(change(fixed))).toBe(false);
  });

  it("Ed25519: another length, and a number beyond the order", () => {
    const signature = sign(null, data, ed25519.privateKey);
    expect(verifiesWith(ed25519.publicKey, data, signature)).toBe(true);
    expect(verifiesWith(ed25519.publicKey, data, Buffer.concat([signature, zero]))).toBe(false);
    expect(verifiesWith(ed25519.publicKey, data, signature.subarray(0, 63))).toBe(false);
    expect(verifiesWith(ed25519.publicKey, data, plusOrder(signature))).toBe(false);
  });
});

const zero = Buffer.alloc(1);

/** RFC 8032, section 5.1.7: S plus the group's order fits the same equation. */
function plusOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString("hex")}`) + order;
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, "0"), "hex").toReversed()]);
}
