import { createHash, generateKeyPairSync, sign } from "node:crypto";

/** Who signed what is logged: a certificate, or the public key as SPKI. */
export type LoggedSigner = { readonly certificate: { readonly raw: Buffer } } | { readonly publicKey: Buffer };

export interface LoggedSignature {
  readonly kind: "hashedrekord" | "dsse";
  /** SHA-256 of what was signed; of an envelope's payload where the kind is `dsse`. */
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly signer: LoggedSigner;
}

/** A signature log of the second version: entries carry no time and no promise, but a proof and a signed checkpoint. */
export class TestRekor {
  readonly origin: string;
  readonly #keys = generateKeyPairSync("ed25519");
  readonly #leaves: Buffer[] = [Buffer.from("the first entry"), Buffer.from("the second entry")];

  /** @param origin the host name, which checkpoints begin with */
  constructor(origin = "log2.rekor.test") {
    this.origin = origin;
  }

  /** The hash of a note's key (C2SP signed-note). */
  get id(): Buffer {
    const key = this.publicKey.subarray(-32);
    return createHash("sha256")
      .update(`${this.origin}\n`)
      .update(Buffer.from([1]))
      .update(key)
      .digest();
  }

  get publicKey(): Buffer {
    return this.#keys.publicKey.export({ type: "spki", format: "der" });
  }

  /** As `trusted_root.json` lists it. */
  listed(validFor: { readonly start: string; readonly end?: string } = { start: "2020-01-01T00:00:00Z" }) {
    return {
      baseUrl: `https://${this.origin}`,
      hashAlgorithm: "SHA2_256",
      publicKey: { rawBytes: this.publicKey.toString("base64"), keyDetails: "PKIX_ED25519", validFor },
      logId: { keyId: this.id.toString("base64") },
    };
  }

  /** Logs the signature, and another one after it. */
  entry(logged: LoggedSignature) {
    const body = Buffer.from(JSON.stringify(bodyOf(logged)));
    const index = this.#leaves.push(body) - 1;
    this.#leaves.push(Buffer.from(`the entry after ${index}`));
    const hashes = proof(this.#leaves, index);
    const rootHash = treeHash(this.#leaves).toString("base64");
    const treeSize = String(this.#leaves.length);
    return {
      logIndex: String(index),
      logId: { keyId: this.id.toString("base64") },
      kindVersion: { kind: logged.kind, version: "0.0.2" },
      inclusionProof: {
        logIndex: String(index),
        rootHash,
        treeSize,
        hashes: hashes.map((hash) => hash.toString("base64")),
        checkpoint: { envelope: this.#checkpoint(`${this.origin}\n${treeSize}\n${rootHash}\n`) },
      },
      canonicalizedBody: body.toString("base64"),
    };
  }

  #checkpoint(note: string): string {
    const signature = Buffer.concat([this.id.subarray(0, 4), sign(null, Buffer.from(note), this.#keys.privateKey)]);
    return `${note}\n— ${this.origin} ${signature.toString("base64")}\n`;
  }
}

function bodyOf({ kind, digest, signature, signer }: LoggedSignature) {
  const rawBytes = "certificate" in signer ? signer.certificate.raw : signer.publicKey;
  const bytes = { rawBytes: rawBytes.toString("base64") };
  // Names in the order of RFC 8785, as the log writes them.
  const verifier = {
    keyDetails: "PKIX_ECDSA_P256_SHA_256",
    ...("certificate" in signer ? { x509Certificate: bytes } : { publicKey: bytes }),
  };
  const hash = { algorithm: "SHA2_256", digest: Buffer.from(digest).toString("base64") };
  const made = { content: Buffer.from(signature).toString("base64"), verifier };
  const spec =
    kind === "dsse"
      ? { dsseV002: { payloadHash: hash, signatures: [made] } }
      : { hashedRekordV002: { data: hash, signature: made } };
  return { apiVersion: "0.0.2", kind, spec };
}

const hashOf = (prefix: number, ...parts: readonly Uint8Array[]): Buffer =>
  createHash("sha256")
    .update(Buffer.concat([Buffer.from([prefix]), ...parts]))
    .digest();

/** The largest power of two that is smaller (RFC 6962, section 2.1). */
const split = (size: number): number => 2 ** (Math.ceil(Math.log2(size)) - 1);

function treeHash(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return hashOf(0, leaves[0]!);
  const at = split(leaves.length);
  return hashOf(1, treeHash(leaves.slice(0, at)), treeHash(leaves.slice(at)));
}

function proof(leaves: readonly Buffer[], index: number): Buffer[] {
  if (leaves.length === 1) return [];
  const at = split(leaves.length);
  const [left, right] = [leaves.slice(0, at), leaves.slice(at)];
  return index < at ? [...proof(left, index), treeHash(right)] : [...proof(right, index - at), treeHash(left)];
}
