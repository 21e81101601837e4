import { createPrivateKey, createPublicKey, type KeyObject, scryptSync, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { CodedError, messageOf } from "../errors.ts";
import { parsePublicKeys } from "../verify/cosign/keys.ts";
import { openSecretbox } from "./secretbox.ts";
import { parseJsonObject } from "../text/json.ts";

/** A private key that cosign could have signed with. */
export interface SigningKey {
  readonly publicKey: KeyObject;
  /** As cosign signs with a key file: ECDSA and RSA PKCS #1 v1.5 over SHA-256, Ed25519. */
  readonly sign: (data: Uint8Array) => Buffer;
}

/** cosign writes the first; the second is from before its version 2. */
const cosignKey = /-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END/;
const maxKeyBytes = 64 * 1024;
/** What cosign uses is N 65536, r 8, p 1; a file that asks for far more would only keep the machine busy. */
const maxScryptCost = 2 ** 20;

/**
 * Reads a private key: PKCS #8, SEC 1 or PKCS #1 in PEM, or what `cosign generate-key-pair` writes, with its password.
 * @throws SecretInvalid; no message shows content or password
 */
export async function readSigningKey(path: string, password: string | undefined): Promise<SigningKey> {
  const fail = (problem: string, cause?: unknown): CodedError =>
    new CodedError("SecretInvalid", `--sign-key ${path} ${problem}`, { cause });
  const pem = await readFile(path, "utf8").catch((error: unknown) => {
    throw fail(`cannot be read: ${messageOf(error)}`, error);
  });
  if (pem.length > maxKeyBytes) throw fail("is too large for a key");
  const privateKey = parseKey(pem, password, fail);
  const publicKey = createPublicKey(privateKey);
  // The same demands as on keys that verify: type, curve and size.
  parsePublicKeys(publicKey.export({ type: "spki", format: "pem" }).toString(), path, "--sign-key");
  return {
    publicKey,
    sign: (data) => sign(privateKey.asymmetricKeyType === "ed25519" ? null : "sha256", data, privateKey),
  };
}

type Fail = (problem: string, cause?: unknown) => CodedError;

function parseKey(pem: string, password: string | undefined, fail: Fail): KeyObject {
  const isEncrypted = pem.includes("ENCRYPTED");
  if (isEncrypted && password === undefined) throw fail("is encrypted; set COSIGN_PASSWORD");
  const ofCosign = cosignKey.exec(pem);
  // Outside of the try: its errors say more.
  const decrypted = ofCosign === null ? undefined : decrypt(Buffer.from(ofCosign[1]!, "base64"), password!, fail);
  try {
    if (decrypted !== undefined) return createPrivateKey({ key: decrypted, format: "der", type: "pkcs8" });
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase: password }) });
  } catch {
    // OpenSSL's own words could quote what it was given.
    throw fail(
      isEncrypted
        ? "cannot be decrypted; is COSIGN_PASSWORD right?"
        : "is no private key in PEM (-----BEGIN PRIVATE KEY-----), or one that is not supported",
    );
  }
}

/** The file of `cosign generate-key-pair`: JSON with the parameters of scrypt and a NaCl secretbox around PKCS #8. */
function decrypt(json: Buffer, password: string, fail: Fail): Buffer {
  const envelope = parseEnvelope(json, fail);
  const names = [envelope.kdf?.name, envelope.cipher?.name];
  if (names[0] !== "scrypt" || names[1] !== "nacl/secretbox")
    throw fail(`is encrypted with ${JSON.stringify(names).slice(0, 100)}; only scrypt with nacl/secretbox is read`);
  const opened = openSecretbox(
    bytesOf(envelope.ciphertext),
    deriveKey(envelope, password, fail),
    bytesOf(envelope.cipher?.nonce),
  );
  if (opened === undefined) throw fail("cannot be decrypted; is COSIGN_PASSWORD right?");
  return opened;
}

function deriveKey({ kdf }: Envelope, password: string, fail: Fail): Buffer {
  const { N = 0, r = 0, p = 0 } = kdf?.params ?? {};
  // `!(<=)` also for what is no number.
  if (!(N * r * p <= maxScryptCost)) throw fail("asks for parameters of scrypt that are not allowed");
  try {
    return scryptSync(password, bytesOf(kdf?.salt), 32, { N, r, p, maxmem: 256 * N * r });
  } catch {
    throw fail("asks for parameters of scrypt that are not allowed");
  }
}

interface Envelope {
  readonly kdf?: {
    readonly name?: unknown;
    readonly params?: Partial<Record<"N" | "r" | "p", number>>;
    readonly salt?: unknown;
  };
  readonly cipher?: { readonly name?: unknown; readonly nonce?: unknown };
  readonly ciphertext?: unknown;
}

function parseEnvelope(json: Buffer, fail: Fail): Envelope {
  try {
    return parseJsonObject(json);
  } catch {
    throw fail("is no key that cosign has written");
  }
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : "", "base64");
}
