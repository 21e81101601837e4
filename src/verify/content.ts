import { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Manifest } from "../oci/types.ts";

/**
 * The bytes of a small blob or manifest, checked against the descriptor by the repository.
 * @throws VerificationFailed where the descriptor announces more than `maxBytes`
 */
export async function readSmall(
  repository: Repository,
  descriptor: Descriptor,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  if (descriptor.size > maxBytes) {
    throw new CodedError(
      "VerificationFailed",
      `${descriptor.digest} is ${descriptor.size} bytes, more than the ${maxBytes} that are read`,
    );
  }
  const chunks: Buffer[] = [];
  for await (const chunk of await repository.fetch(descriptor, signal)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** A manifest that holds a signature. @throws ManifestInvalid for an index */
export async function readSignatureManifest(
  repository: Repository,
  descriptor: Descriptor,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Manifest> {
  const name = `${repository.name}@${descriptor.digest}`;
  const manifest = parseManifest(await readSmall(repository, descriptor, maxBytes, signal), descriptor.mediaType, name);
  if (manifest.kind === "manifest") return manifest;
  throw new CodedError("ManifestInvalid", `${name}: an index is no signature`);
}

/**
 * Errors of a single signature are findings: another signature may be good. Everything else (the registry is down, the
 * work was aborted) says nothing about the artifact and must not look like a missing signature.
 */
const findingCodes = new Set([
  "VerificationFailed",
  "ManifestInvalid",
  "ManifestTooLarge",
  "DigestMismatch",
  "SizeMismatch",
  "InvalidDigest",
  "NotFound",
]);

export function isFinding(error: unknown): error is CodedError {
  return error instanceof CodedError && findingCodes.has(error.code);
}
