import { createPublicKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { verifyEd25519ph } from "./ed25519ph.ts";

const keyOf = (hex: string): KeyObject =>
  createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(hex, "hex").toString("base64url") },
    format: "jwk",
  });

// RFC 8032, section 7.3.
const key = keyOf("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
const signature = Buffer.from(
  "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
  "hex",
);
const order = 2n ** 252n + 27742317777372353535851937790883648493n;
const message = Buffer.from("abc");

/** The same signature with `s` replaced by `s + order`, which is as good mathematically. */
function shifted(): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString("hex")}`) + order;
  const bytes = Buffer.from(s.toString(16).padStart(64, "0"), "hex").toReversed();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}

describe("verifyEd25519ph", () => {
  it("agrees with the test vector of RFC 8032", () => {
    expect(verifyEd25519ph(key, message, signature)).toBe(true);
  });

  it.each([
    ["another message", Buffer.from("abd"), signature],
    ["a changed R", message, flip(signature, 3)],
    ["a changed S", message, flip(signature, 40)],
    ["an S out of range", message, shifted()],
    ["a short signature", message, signature.subarray(1)],
    ["no signature", message, Buffer.alloc(0)],
    ["zeros", message, Buffer.alloc(64)],
    ["an R beyond the field", message, Buffer.concat([Buffer.alloc(32, 0xff), signature.subarray(32)])],
  ])("refuses %s", (_, data, bytes) => {
    expect(verifyEd25519ph(key, data, bytes)).toBe(false);
  });

  it("refuses another key", () => {
    expect(
      verifyEd25519ph(keyOf("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"), message, signature),
    ).toBe(false);
  });

  it("refuses keys of small order, by which one signature would fit any message", () => {
    const neutral = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    const forged = Buffer.concat([neutral, Buffer.alloc(32)]);
    expect(verifyEd25519ph(keyOf(neutral.toString("hex")), message, forged)).toBe(false);
  });
});

function flip(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
