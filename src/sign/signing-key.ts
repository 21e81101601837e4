import { createPrivateKey, createPublicKey, type KeyObject, scrypt, type ScryptOptions, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
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
/** Takes a tenth of a second, not on the thread that serves. */
const scryptInPool = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);
const maxKeyBytes = 64 * 1024;
/** What cosign uses is N 65536, r 8, p 1; a file that asks for far more would only keep the machine busy. */
const maxScryptCost = 2 ** 20;

/**
 * Reads a private key: PKCS #8, SEC 1 or PKCS #1 in PEM, or what `cosign generate-key-pair` writes, with its password.
 * @throws SecretInvalid; no message shows content or password
 */
export async function readSigningKey(path: string, password: string | undefined): Promise<SigningKey> {
  const place = { where: "--sign-key", name: path, password: "COSIGN_PASSWORD" };
  const pem = await readFile(path, "utf8").catch((error: unknown) => {
    throw new CodedError("SecretInvalid", `--sign-key ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  });
  return await parseSigningKey(pem, password, place);
}

/** What the messages call a key and its password. */
export interface KeyPlace {
  /** `--sign-key`, `Secret apps/signing:` */
  readonly where: string;
  readonly name: string;
  readonly password: string;
}

/** The same of a key that was read already. @throws SecretInvalid */
export async function parseSigningKey(
  pem: string,
  password: string | undefined,
  { where, name, password: passwordName }: KeyPlace,
): Promise<SigningKey> {
  const fail = (problem: string, cause?: unknown): CodedError =>
    new CodedError("SecretInvalid", `${where} ${name} ${problem}`, { cause });
  if (pem.length > maxKeyBytes) throw fail("is too large for a key");
  const privateKey = await parseKey(pem, { value: password, name: passwordName }, fail);
  const publicKey = createPublicKey(privateKey);
  // The same demands as on keys that verify: type, curve and size.
  parsePublicKeys(publicKey.export({ type: "spki", format: "pem" }).toString(), name, where.replace(/:$/, ""));
  return {
    publicKey,
    sign: (data) => sign(privateKey.asymmetricKeyType === "ed25519" ? null : "sha256", data, privateKey),
  };
}

type Fail = (problem: string, cause?: unknown) => CodedError;

interface Password {
  readonly value: string | undefined;
  /** Where it stands, for messages. */
  readonly name: string;
}

async function parseKey(pem: string, password: Password, fail: Fail): Promise<KeyObject> {
  const isEncrypted = pem.includes("ENCRYPTED");
  if (isEncrypted && password.value === undefined) throw fail(`is encrypted; set ${password.name}`);
  const ofCosign = cosignKey.exec(pem);
  // Outside of the try: its errors say more.
  const decrypted = ofCosign === null ? undefined : await decrypt(Buffer.from(ofCosign[1]!, "base64"), password, fail);
  try {
    if (decrypted !== undefined) return createPrivateKey({ key: decrypted, format: "der", type: "pkcs8" });
    return createPrivateKey({ key: pem, ...(isEncrypted && { passphrase: password.value }) });
  } catch {
    // OpenSSL's own words could quote what it was given.
    throw fail(
      isEncrypted
        ? `cannot be decrypted; is ${password.name} right?`
        : "is not a private key in PEM (-----BEGIN PRIVATE KEY-----), or one that is not supported",
    );
  }
}

/** The file of `cosign generate-key-pair`: JSON with the parameters of scrypt and a NaCl secretbox around PKCS #8. */
async function decrypt(json: Buffer, password: Password, fail: Fail): Promise<Buffer> {
  const envelope = parseEnvelope(json, fail);
  const names = [envelope.kdf?.name, envelope.cipher?.name];
  if (names[0] !== "scrypt" || names[1] !== "nacl/secretbox")
    throw fail(`is encrypted with ${JSON.stringify(names).slice(0, 100)}; only scrypt with nacl/secretbox is read`);
  const opened = openSecretbox(
    bytesOf(envelope.ciphertext),
    await deriveKey(envelope, password.value!, fail),
    bytesOf(envelope.cipher?.nonce),
  );
  if (opened === undefined) throw fail(`cannot be decrypted; is ${password.name} right?`);
  return opened;
}

async function deriveKey({ kdf }: Envelope, password: string, fail: Fail): Promise<Buffer> {
  const { N = 0, r = 0, p = 0 } = kdf?.params ?? {};
  // `!(<=)` also for what is not a number.
  if (!(N * r * p <= maxScryptCost)) throw fail("asks for parameters of scrypt that are not allowed");
  try {
    return await scryptInPool(password, bytesOf(kdf?.salt), 32, { N, r, p, maxmem: 256 * N * r });
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
    throw fail("is not a key that cosign has written");
  }
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(typeof value === "string" ? value : "", "base64");
}
