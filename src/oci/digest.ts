import { createHash, type Hash } from "node:crypto";
import { Transform, type TransformCallback } from "node:stream";
import { CodedError } from "../errors.ts";
import type { Digest } from "./types.ts";
import { counted } from "../text/count.ts";

const hexLength = { sha256: 64, sha512: 128 } as const;
type Algorithm = keyof typeof hexLength;

/** Whether `text` is a digest as descriptors write it (OCI image-spec v1.1, descriptor.md, "Digests"). */
export function isDigest(text: string): text is Digest {
  const match = /^(sha256|sha512):([a-f0-9]+)$/.exec(text);
  return match !== null && match[2]!.length === hexLength[match[1] as Algorithm];
}

/**
 * OCI image-spec v1.1, descriptor.md, "Digests": the two registered algorithms.
 * @throws InvalidDigest
 */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new CodedError(
    "InvalidDigest",
    `"${text.slice(0, 140)}" is not a digest; write sha256: and 64 lower-case hexadecimal digits (or sha512: and 128)`,
  );
}

/** The part before the colon. */
export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith("sha512:") ? "sha512" : "sha256";
}

/** The part after the colon: safe as a file name. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** The digest of bytes, or of a text in UTF-8. */
export function sha256Of(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** True where `bytes` hash to `digest`, whatever its algorithm. */
export function matchesDigest(bytes: Uint8Array, digest: Digest): boolean {
  return createHash(algorithmOf(digest)).update(bytes).digest("hex") === hexOf(digest);
}

/** What a stream of content is checked against; `what` names it in messages. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/** Counts and hashes content as it passes; usable over several connections of one resumed download. */
export class Verifier {
  readonly #expected: Expected;
  readonly #hash: Hash;
  #bytes = 0;

  constructor(expected: Expected) {
    this.#expected = expected;
    this.#hash = createHash(algorithmOf(expected.digest));
  }

  /** Bytes seen so far: where a resumed download goes on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws SizeMismatch as soon as there is more than the descriptor says */
  update(chunk: Uint8Array): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#expected.size) throw this.#sizeMismatch("more");
    this.#hash.update(chunk);
  }

  /** @throws SizeMismatch, DigestMismatch */
  finish(): void {
    if (this.#bytes !== this.#expected.size) throw this.#sizeMismatch(`only ${this.#bytes}`);
    const found = this.#hash.digest("hex");
    if (found === hexOf(this.#expected.digest)) return;
    throw new CodedError(
      "DigestMismatch",
      `the content of ${this.#expected.digest} hashes to ${algorithmOf(this.#expected.digest)}:${found}`,
    );
  }

  #sizeMismatch(found: string): CodedError {
    return new CodedError(
      "SizeMismatch",
      `${this.#expected.digest} is ${counted(this.#expected.size, "byte")} by its descriptor, but ${found} arrived`,
    );
  }
}

/**
 * Passes chunks on unchanged (no copy) and is destroyed with SizeMismatch or DigestMismatch, instead of ending,
 * when they are not what `expected` names.
 */
export function verifyingStream(expected: Expected): Transform {
  const verifier = new Verifier(expected);
  return new Transform({
    transform(chunk: Uint8Array, _encoding: BufferEncoding, callback: TransformCallback): void {
      try {
        verifier.update(chunk);
      } catch (error) {
        callback(error as Error);
        return;
      }
      callback(null, chunk);
    },
    flush(callback: TransformCallback): void {
      try {
        verifier.finish();
      } catch (error) {
        callback(error as Error);
        return;
      }
      callback();
    },
  });
}

/** Hashes content piece by piece. */
export function sha256Stream(): { update(chunk: Uint8Array): void; digest(): Digest } {
  const hash = createHash("sha256");
  return { update: (chunk) => void hash.update(chunk), digest: () => `sha256:${hash.digest("hex")}` };
}
