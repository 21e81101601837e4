import { DERIVATION_TYPE } from "../../api/v1beta1/derivation.ts";
import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { WritableRepository } from "../oci/content.ts";
import type { RegistryReference } from "../oci/reference.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { essenceOf } from "../pipeline/derivation.ts";
import type { SigningKey } from "../sign/signing-key.ts";
import type { Owner } from "../store/store.ts";
import { detachOne } from "./detach.ts";
import { isMarkedFor, marksOf } from "./marks.ts";
import type { Origin } from "./port.ts";
import { isRefusal } from "./prune.ts";

/** What is to be attached to a pushed manifest. */
export interface AttachRequest {
  readonly repository: WritableRepository;
  readonly reference: RegistryReference;
  readonly manifest: Descriptor;
  readonly owner: Owner;
  readonly uid: string;
  readonly target: Pick<PublishOci, "sign" | "referrers">;
  /** The key of `sign`. */
  readonly key: SigningKey | undefined;
  readonly origin: Origin | undefined;
}

/** What is attached now. */
export interface Attached {
  readonly signature?: Digest;
  readonly attestation?: Digest;
  /** Worth telling. */
  readonly note?: string;
}

/** Attestations of an object's own that are out of date, in a registry that deletes nothing. */
const maxOutdated = 20;

/**
 * Signs the manifest, attests how it was made, and copies what refers to upstream's: as far as the object asks for it, and what
 * is not there yet.
 *
 * @throws SigningFailed, what the repositories throw
 */
export async function attach(request: AttachRequest, signal: AbortSignal): Promise<Attached> {
  const note = await copied(request, signal);
  const { key } = request;
  return { ...(note !== undefined && { note }), ...(key && (await signed({ ...request, key }, signal))) };
}

async function signed(
  { repository, reference, manifest, owner, uid, key, target, origin }: AttachRequest & { readonly key: SigningKey },
  signal: AbortSignal,
): Promise<Attached> {
  const { sign, attest } = await import("../sign/attest.ts");
  const marks = marksOf(owner, uid);
  const signable = { repository, subject: manifest, key, marks };
  const signature = await sign(signable, signal);
  if (target.sign?.legacyTag === true) {
    const { signManifest } = await import("../sign/sign.ts");
    const identity = `${reference.registry}/${reference.repository}`;
    await signManifest(repository, { identity, digest: manifest.digest, marks }, key, signal);
  }
  if (origin === undefined) return { signature: signature.digest };
  const { derivation: predicate } = origin;
  const claim = { predicateType: DERIVATION_TYPE, predicate, essence: essenceOf, most: maxOutdated };
  const { attached, others } = await attest(signable, claim, signal);
  if (attached === undefined)
    return {
      signature: signature.digest,
      note: `the registry keeps ${others.length} outdated attestations, so none is added`,
    };
  const isOwn = (annotations: Annotations): boolean => isMarkedFor(owner, uid, annotations);
  if (attached.written) await removeOutdated({ repository, manifest }, others, isOwn, signal);
  return { signature: signature.digest, attestation: attached.digest };
}

/** What this object has attested before of the same bytes, made of another upstream. Registries may keep it all the same. */
async function removeOutdated(
  { repository, manifest }: Pick<AttachRequest, "repository" | "manifest">,
  others: readonly Digest[],
  isOwn: (annotations: Annotations) => boolean,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const digest of others)
      await detachOne(repository, await repository.resolve(digest, signal, "read"), manifest.digest, { isOwn, signal });
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}

/** @returns what is worth telling */
async function copied(
  { repository, reference, manifest, owner, uid, target, origin }: AttachRequest,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (target.referrers !== "Copy" || origin === undefined || origin.subjects.length === 0) return undefined;
  const { copyReferrers, referrerLimits } = await import("../copy/referrers.ts");
  const { repository: source, place, subjects } = origin;
  const mountFrom = place.registry === reference.registry ? place.repository : undefined;
  const common = { target: repository, subject: manifest, mountFrom, marks: marksOf(owner, uid) };
  const { leftOut } = await copyReferrers({ ...common, source, subjects }, signal);
  if (leftOut === 0) return undefined;
  const { maxReferrers, maxBytes } = referrerLimits;
  return `${leftOut} of upstream's referrers are not copied: at most ${maxReferrers} are, of at most ${maxBytes / 1024 / 1024} MiB each`;
}
