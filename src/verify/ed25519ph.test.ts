import { createPublicKey, type KeyObject } from "node:crypto";
import { describe, expect, it } from "vitest";
import { verifyEd25519ph } from "./ed25519ph.ts";

const keyOf = (hex: string): KeyObject => createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(hex, "hex").toString("base64url") }, format: "jwk" });

// RFC 8032, section 7.3.
const key = keyOf("ec172b93ad5e563f4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
const rfcKey = keyOf("ec172b93ad5e563f4932c70e1245034c35467ef2efd4d64ebf819683467e2bf2".slice(0, 64));
const signature = Buffer.from(
  "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406",
  "hex",
);

describe("verifyEd25519ph", () => {
  it("agrees with the test vector of RFC 8032", () => {
    expect(key).toBeDefined();
    expect(verifyEd25519ph(rfcKey, Buffer.from("abc"), signature)).toBe(true);
  });
});
