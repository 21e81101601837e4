import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { ecKeys } from "../../testing/signatures/certificates.ts";
import { signPss, signWith } from "../../testing/signatures/cosign-signatures.ts";
import { parsePublicKeys, verifiesWith } from "./keys.ts";

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pss = generateKeyPairSync("rsa-pss", {
  modulusLength: 2048,
  hashAlgorithm: "sha256",
  mgf1HashAlgorithm: "sha256",
});
const ed25519 = generateKeyPairSync("ed25519");
const [p256, p384, p521] = [ecKeys("P-256"), ecKeys("P-384"), ecKeys("P-521")];
const data = Buffer.from("what was signed");
const pem = (key: KeyObject): string => key.export({ type: "spki", format: "pem" }) as string;

describe("verifiesWith", () => {
  it.each([
    ["P-256", p256, signWith(p256.privateKey)],
    ["P-384", p384, signWith(p384.privateKey, "sha384")],
    ["P-384 of older signers", p384, signWith(p384.privateKey, "sha256")],
    ["P-521", p521, signWith(p521.privateKey, "sha512")],
    ["P-521 of older signers", p521, signWith(p521.privateKey, "sha256")],
    ["RSA PKCS #1 v1.5", rsa, signWith(rsa.privateKey)],
    ["RSA PKCS #1 v1.5 with SHA-512", rsa, signWith(rsa.privateKey, "sha512")],
    ["RSA PSS", rsa, signPss(rsa.privateKey)],
    ["RSA PSS with SHA-384", rsa, signPss(rsa.privateKey, "sha384")],
    ["a key for PSS alone", pss, signPss(pss.privateKey)],
    ["Ed25519", ed25519, signWith(ed25519.privateKey, null)],
  ])("accepts %s, and nothing that was changed", (_, { publicKey }, make) => {
    const signature = make(data);
    expect(verifiesWith(publicKey, data, signature)).toBe(true);
    expect(verifiesWith(publicKey, Buffer.from("what was signeD"), signature)).toBe(false);
    const changed = Buffer.from(signature);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    expect(verifiesWith(publicKey, data, changed)).toBe(false);
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(64), Buffer.alloc(256), signature.subarray(1)])
      expect(verifiesWith(publicKey, data, bytes)).toBe(false);
  });

  it("accepts Ed25519ph, which cosign makes with Ed25519 keys (RFC 8032, section 7.3)", () => {
    const key = createPublicKey({
      key: {
        kty: "OKP",
        crv: "Ed25519",
        x: Buffer.from("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", "hex").toString("base64url"),
      },
      format: "jwk",
    });
    const signature = Buffer.from(
      "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
      "hex",
    );
    expect(verifiesWith(key, Buffer.from("abc"), signature)).toBe(true);
    expect(verifiesWith(key, Buffer.from("abd"), signature)).toBe(false);
  });

  it("refuses a signature by another key", () => {
    expect(verifiesWith(p256.publicKey, data, signWith(ecKeys().privateKey)(data))).toBe(false);
    expect(verifiesWith(ed25519.publicKey, data, signWith(generateKeyPairSync("ed25519").privateKey, null)(data))).toBe(
      false,
    );
    expect(verifiesWith(rsa.publicKey, data, signWith(p256.privateKey)(data))).toBe(false);
  });

  it("refuses hashes that are not sound, and keys that are too weak, however good the signature", () => {
    expect(verifiesWith(rsa.publicKey, data, signWith(rsa.privateKey, "sha1")(data))).toBe(false);
    expect(verifiesWith(p256.publicKey, data, signWith(p256.privateKey, "sha1")(data))).toBe(false);
    const weak = generateKeyPairSync("rsa", { modulusLength: 1024 });
    expect(verifiesWith(weak.publicKey, data, signWith(weak.privateKey)(data))).toBe(false);
  });
});

describe("parsePublicKeys", () => {
  it("reads one key, and several in one file", () => {
    expect(parsePublicKeys(pem(p256.publicKey), "cosign.pub", "Secret keys").map(({ name }) => name)).toEqual([
      "cosign.pub",
    ]);
    const both = parsePublicKeys(`# ours\n${pem(p256.publicKey)}\n${pem(rsa.publicKey)}`, "all.pub", "Secret keys");
    expect(both.map(({ name, key }) => [name, key.asymmetricKeyType])).toEqual([
      ["all.pub (1)", "ec"],
      ["all.pub (2)", "rsa"],
    ]);
    const pkcs1 = rsa.publicKey.export({ type: "pkcs1", format: "pem" }) as string;
    expect(parsePublicKeys(pkcs1, "rsa.pub", "Secret keys")[0]?.key.asymmetricKeyType).toBe("rsa");
  });

  it.each([
    ["nothing", ""],
    ["text", "hunter2"],
    ["a private key", p256.privateKey.export({ type: "pkcs8", format: "pem" }) as string],
    [
      "a cosign private key",
      "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----",
    ],
    [
      "a public key beside a private one",
      pem(p256.publicKey) + (p256.privateKey.export({ type: "pkcs8", format: "pem" }) as string),
    ],
    ["damaged PEM", pem(p256.publicKey).replace(/MF/, "AA")],
    ["a curve that cosign does not use", pem(ecKeys("secp256k1").publicKey)],
    ["RSA of 1024 bits", pem(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey)],
    ["Ed448", pem(generateKeyPairSync("ed448").publicKey)],
    ["X25519", pem(generateKeyPairSync("x25519").publicKey)],
  ])("refuses %s and never shows it", (_, text) => {
    const attempt = (): unknown => parsePublicKeys(text, "cosign.pub", "Secret keys");
    expect(attempt).toThrow(
      expect.objectContaining({
        code: "SecretInvalid",
        message: expect.stringMatching(/^Secret keys: cosign\.pub (?!.*hunter2)/),
      }),
    );
  });
});
