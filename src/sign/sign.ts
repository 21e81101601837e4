import { CodedError } from "../errors.ts";
import { resolveOptional } from "../oci/absence.ts";
import type { WritableRepository } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import { ociConfigType, ociManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { legacyTag } from "../verify/cosign/legacy.ts";
import { verifiesWith } from "../verify/cosign/keys.ts";
import type { SigningKey } from "./signing-key.ts";
import { bytesFrom, fetchDocument } from "../copy/transfer.ts";

const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json";
const signatureKey = "dev.cosignproject.cosign/signature";
const never = "0001-01-01T00:00:00Z";

export interface SignedSubject {
  /** `registry.example/team/app`, which is signed along; empty where there is no such name. */
  readonly identity: string;
  readonly digest: Digest;
  /** Annotations beside the signature: whose it is. */
  readonly marks?: Annotations;
}

export interface Signed {
  readonly tag: string;
  readonly digest: Digest;
  /** False where this key had signed it before. */
  readonly written: boolean;
}

/**
 * Signs a manifest as `cosign sign --key` does with its older format: a simple signing payload under the tag
 * `sha256-<hex>.sig`, beside the signatures that are there. Nothing goes to a transparency log.
 */
export async function signManifest(
  repository: WritableRepository,
  { identity, digest, marks = {} }: SignedSubject,
  key: SigningKey,
  signal: AbortSignal,
): Promise<Signed> {
  const tag = legacyTag(digest);
  if (tag === undefined)
    throw new CodedError(
      "InvalidDigest",
      `${digest} cannot be signed: the tag of a signature has room for a sha256 digest only`,
    );
  const payload = payloadOf(identity, digest);
  const existing = await existingSignatures(repository, tag, signal);
  const layer: Descriptor = { mediaType: simpleSigningType, digest: sha256Of(payload), size: payload.length };
  const isOurs = (candidate: Descriptor): boolean =>
    candidate.digest === layer.digest &&
    verifiesWith(key.publicKey, payload, Buffer.from(candidate.annotations?.[signatureKey] ?? "", "base64"));
  if (existing !== undefined && existing.layers.some(isOurs)) return { tag, digest: existing.digest, written: false };
  const layers = [
    ...(existing?.layers ?? []),
    { ...layer, annotations: { [signatureKey]: key.sign(payload).toString("base64"), ...marks } },
  ];
  await pushBytes(repository, layer, payload, signal);
  return { tag, digest: await pushSignatures(repository, tag, layers, signal), written: true };
}

/**
 * Takes those signatures away from under the tag that are marked as one's own, and leaves the others.
 * @throws RegistryUnsupported, Forbidden, … what the repository throws
 */
export async function unsignManifest(
  repository: WritableRepository,
  digest: Digest,
  isOwn: (marks: Annotations) => boolean,
  signal: AbortSignal,
): Promise<void> {
  const tag = legacyTag(digest);
  const existing = tag === undefined ? undefined : await existingSignatures(repository, tag, signal);
  if (tag === undefined || existing === undefined) return;
  const left = existing.layers.filter(({ annotations = {} }) => !isOwn(annotations));
  if (left.length === existing.layers.length) return;
  if (left.length > 0) await pushSignatures(repository, tag, left, signal);
  else await repository.deleteManifest(existing.digest, signal);
}

/** containers/image, "atomic-signature": what cosign signs, byte for byte as it writes it. */
function payloadOf(identity: string, digest: Digest): Buffer {
  const critical = {
    identity: { "docker-reference": identity },
    image: { "docker-manifest-digest": digest },
    type: "cosign container image signature",
  };
  return Buffer.from(JSON.stringify({ critical, optional: null }));
}

async function existingSignatures(
  repository: WritableRepository,
  tag: string,
  signal: AbortSignal,
): Promise<{ digest: Digest; layers: readonly Descriptor[] } | undefined> {
  const found = await resolveOptional(repository, tag, signal);
  if (found === undefined) return undefined;
  const { content } = await fetchDocument(repository, found, signal);
  if (content.kind === "index")
    throw new CodedError(
      "ManifestInvalid",
      `${repository.name}:${tag} is an index, where signatures are kept in a manifest; remove it`,
    );
  return { digest: found.digest, layers: content.layers };
}

async function pushSignatures(
  repository: WritableRepository,
  tag: string,
  layers: readonly Descriptor[],
  signal: AbortSignal,
): Promise<Digest> {
  const rootfs = { type: "layers", diff_ids: layers.map((layer) => layer.digest) };
  const configBytes = Buffer.from(
    JSON.stringify({
      architecture: "",
      created: never,
      history: layers.map(() => ({ created: never })),
      os: "",
      rootfs,
      config: {},
    }),
  );
  const config: Descriptor = { mediaType: ociConfigType, digest: sha256Of(configBytes), size: configBytes.length };
  await pushBytes(repository, config, configBytes, signal);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, config, layers }));
  const descriptor: Descriptor = { mediaType: ociManifestType, digest: sha256Of(bytes), size: bytes.length };
  await repository.pushManifest(descriptor, bytes, tag, signal);
  return descriptor.digest;
}

async function pushBytes(
  repository: WritableRepository,
  descriptor: Descriptor,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  if (!(await repository.exists(descriptor, signal)))
    await repository.pushBlob(descriptor, (offset) => bytesFrom(bytes, offset), signal);
}
