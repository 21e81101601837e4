import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeOf, messageOf } from "../errors.ts";
import { verifiesWith } from "../verify/cosign/keys.ts";
import { readSigningKey } from "./signing-key.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-key-"));
});
afterAll(async () => await rm(dir, { recursive: true }));

const write = async (content: string): Promise<string> => {
  const path = join(dir, "cosign.key");
  await writeFile(path, content);
  return path;
};
const pkcs8 = (key: KeyObject): string => key.export({ type: "pkcs8", format: "pem" }).toString();
const data = Buffer.from("what is signed");
const password = "correct horse";

/**
 * What the library that cosign uses (secure-systems-lab/go-securesystemslib, "encrypted") made of the Ed25519 key with the seed
 * 00 01 … 1f and the password above; its salt and nonce were random.
 */
const standard = {
  kdf: { name: "scrypt", params: { N: 65536, r: 8, p: 1 }, salt: "3jYrj4rSx2+SA7e0MGI13ZY652KxUlduQiyqhFrG0yc=" },
  cipher: { name: "nacl/secretbox", nonce: "KePr5ajKhsoLp0MLp35c+0gLI+i+1UMd" },
  ciphertext: "5T4VkUKq5bWzHTtsNZtkcxbsUMX+Sdz2pChg/jXsJEBFAfwA48azFXhUJ2AkM1XKRi2i8HyYO8AzGLbprd4bAA==",
};
const older = {
  kdf: { name: "scrypt", params: { N: 32768, r: 8, p: 1 }, salt: "MkGB3nUPj3Jfzjp3BzPnGUZFeZWnfcSYVJAsyLIR7ew=" },
  cipher: { name: "nacl/secretbox", nonce: "dSFAw0QUfajF4rAQsVWIjc17T42HAB4S" },
  ciphertext: "Had6d5w07f/YjTApayjjKWrFfO1e7TRBBeFRzF1nnHAOhFPZTbLXIirN5IwmMdTB58xiUpR5ch4CR31OfYe1Aw==",
};
const publicKeyOfSeed = "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8";

const cosignPem = (envelope: unknown, kind = "SIGSTORE"): string => {
  const body = Buffer.from(typeof envelope === "string" ? envelope : JSON.stringify(envelope)).toString("base64");
  return `-----BEGIN ENCRYPTED ${kind} PRIVATE KEY-----\n${body.replace(/.{64}/g, "$&\n")}\n-----END ENCRYPTED ${kind} PRIVATE KEY-----\n`;
};

describe("a plain key", () => {
  it.each([
    ["P-256", generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey],
    ["P-384", generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey],
    ["RSA", generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey],
    ["Ed25519", generateKeyPairSync("ed25519").privateKey],
  ])("%s signs what its public key verifies", async (_, privateKey) => {
    const key = await readSigningKey(await write(pkcs8(privateKey)), undefined);
    expect(verifiesWith(key.publicKey, data, key.sign(data))).toBe(true);
    expect(verifiesWith(key.publicKey, Buffer.from("something else"), key.sign(data))).toBe(false);
  });

  it("may be in SEC 1", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const key = await readSigningKey(
      await write(privateKey.export({ type: "sec1", format: "pem" }).toString()),
      "unused",
    );
    expect(verifiesWith(key.publicKey, data, key.sign(data))).toBe(true);
  });
});

describe("an encrypted key", () => {
  it.each([
    ["of cosign", cosignPem(standard)],
    ["of an older cosign", cosignPem(older, "COSIGN")],
  ])("%s opens with its password", async (_, pem) => {
    const key = await readSigningKey(await write(pem), password);
    expect(key.publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex")).toBe(publicKeyOfSeed);
    expect(verifiesWith(key.publicKey, data, key.sign(data))).toBe(true);
  });

  it("in PKCS #8 opens with its password", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const pem = privateKey
      .export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: password })
      .toString();
    expect((await readSigningKey(await write(pem), password)).publicKey.asymmetricKeyType).toBe("ec");
    expect(await failure(pem, "wrong")).toContain("COSIGN_PASSWORD");
  });
});

async function failure(pem: string, secret: string | undefined): Promise<string> {
  const path = await write(pem);
  const error = await readSigningKey(path, secret).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(codeOf(error)).toBe("SecretInvalid");
  if (secret) expect(messageOf(error)).not.toContain(secret);
  return messageOf(error);
}

describe("readSigningKey refuses", () => {
  it.each([
    ["an encrypted key without a password", cosignPem(older), undefined, /COSIGN_PASSWORD/],
    ["a wrong password", cosignPem(older), "battery staple", /COSIGN_PASSWORD/],
    ["a changed ciphertext", cosignPem({ ...older, ciphertext: standard.ciphertext }), password, /COSIGN_PASSWORD/],
    [
      "an expensive derivation",
      cosignPem({ ...older, kdf: { ...older.kdf, params: { N: 2 ** 24, r: 8, p: 1 } } }),
      password,
      /scrypt/,
    ],
    [
      "parameters that scrypt has not",
      cosignPem({ ...older, kdf: { ...older.kdf, params: { N: 1000, r: 8, p: 1 } } }),
      password,
      /scrypt/,
    ],
    [
      "parameters that are not numbers",
      cosignPem({ ...older, kdf: { ...older.kdf, params: { N: "a", r: {}, p: 1 } } }),
      password,
      /scrypt/,
    ],
    ["another cipher", cosignPem({ ...older, cipher: { name: "aes" } }), password, /aes/],
    ["an envelope that is not JSON", cosignPem("nothing"), password, /cosign/],
    ["an empty envelope", cosignPem("null"), password, /cosign/],
    ["no key at all", "hello", undefined, /PEM/],
    [
      "a public key",
      generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString(),
      undefined,
      /PEM/,
    ],
    ["a short RSA key", pkcs8(generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey), undefined, /2048/],
    [
      "a curve that nobody verifies",
      pkcs8(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).privateKey),
      undefined,
      /secp256k1/,
    ],
    ["a huge file", "x".repeat(100_000), undefined, /large/],
  ])("%s", async (_, pem, secret, message) => {
    expect(await failure(pem, secret)).toMatch(message);
  });

  it("a file that is not there", async () => {
    await expect(readSigningKey(join(dir, "none"), undefined)).rejects.toMatchObject({ code: "SecretInvalid" });
  });
});
