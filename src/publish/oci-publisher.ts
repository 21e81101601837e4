import type { PublishOci } from "../../api/v1beta1/publish.ts";
import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import { seconds, stoppedInTime } from "../http/deadline.ts";
import type { SharedRepository } from "../oci/content.ts";
import { hexOf, isDigest } from "../oci/digest.ts";
import type { RegistryReference } from "../oci/reference.ts";
import type { Digest } from "../oci/types.ts";
import { storeOwner, type Identified } from "../pipeline/object.ts";
import type { TargetAccess } from "../pipeline/ports.ts";
import { timeoutMs } from "../pipeline/spec.ts";
import { accessKey } from "../sharing/access-key.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import type { SigningKeys } from "../sign/secret-key.ts";
import type { SigningKey } from "../sign/signing-key.ts";
import { tagOfRevision, type Artifact, type ArtifactStore } from "../store/store.ts";
import { renderAliases } from "./alias.ts";
import { attach, type Attached } from "./attach.ts";
import type { OciPublisher, Published, PublishStep, PushedLayer, Transfer } from "./port.ts";
import { prunePushed, type PruneRequest, type PruneResult } from "./prune.ts";
import { pushArtifact } from "./push.ts";
import { refill } from "./refill.ts";
import { storedImage } from "./stored-image.ts";

/** The status has room for 128 rows; two may be an ExternalArtifact and an OCIRepository. It is more than `retain` may ask for. */
const maxRemembered = 126;

/** One for each push that has not come to an end. */
const maxMade = 1000;

/** Opens the repository to push to, with the credentials that the object may use. */
export interface TargetSources {
  openTarget(
    url: string,
    access: TargetAccess,
    context: { readonly namespace: string; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<OpenedTarget>;
  /** The values of the Secret that `publish.oci.sign` names. @throws SecretNotFound */
  signingSecret(name: string, namespace: string, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>>;
}

interface OpenedTarget {
  readonly repository: SharedRepository;
  readonly reference: RegistryReference;
}

type OpenTarget = (
  owner: Pick<Identified, "key" | "object">,
  target: PublishOci,
  signal: AbortSignal,
) => Promise<OpenedTarget>;

interface Parts {
  readonly open: OpenTarget;
  readonly store: ArtifactStore;
  /** Manifests that this process has brought to a repository, where the status may not say so yet. */
  readonly made: SharedCache<object>;
  readonly keyOf: (owner: Identified, target: PublishOci, signal: AbortSignal) => Promise<SigningKey | undefined>;
}

/** Pushes the stored artifact to `publish.oci.url`. */
export function ociPublisher(sources: TargetSources, store: ArtifactStore): OciPublisher {
  const made: Parts["made"] = new SharedCache({ max: maxMade });
  const keyOf = signingKeys(sources);
  const open: OpenTarget = async ({ key: { namespace }, object }, target, signal) =>
    await sources.openTarget(target.url, target, { namespace, timeoutMs: timeoutMs(object.spec) }, signal);
  return {
    kind: "OCIArtifact",
    publish: async (step, signal) => await push({ open, store, made, keyOf }, step, signal),
    withdraw: async ({ key, uid, object, previous }, signal) => {
      const target = object?.spec.publish?.oci;
      // Where no target is named any more, nobody says with whose credentials to ask.
      if (object === undefined || target === undefined) return;
      const owner = storeOwner({ key });
      const pushed = pushedDigests(previous, target.url);
      const preexisting = preexistingIn(previous, target.url);
      const ms = timeoutMs(object.spec) + 1000 * pushed.length;
      const late = (): CodedError => new CodedError("PublishFailed", `${target.url} does not answer in ${seconds(ms)}`);
      const withdraw = async (within: AbortSignal): Promise<void> => {
        const { repository } = await open({ key, object }, target, within);
        await prunePushed({ repository, owner, uid, pushed, preexisting, retain: 0, aliases: [] }, within);
      };
      await stoppedInTime({ ms, late }, withdraw, signal);
    },
    refill: async ({ owner, artifact, previous }, signal) => {
      const target = targetOf(owner);
      const [digest] = pushedDigests(previous, target.url);
      if (digest === undefined) return false;
      const { repository } = await open(owner, target, signal);
      await refill({ repository, digest, owner: storeOwner(owner), uid: owner.uid, artifact, store }, signal);
      return true;
    },
  };
}

/** @throws PublishFailed where the spec names no target; nobody asks then */
function targetOf({ object }: Identified): PublishOci {
  const target = object.spec.publish?.oci;
  if (target === undefined) throw new CodedError("PublishFailed", "spec.publish.oci names no repository to push to");
  return target;
}

/** A repository whose blobs are pushed when there is room for it. */
function inTurn(repository: SharedRepository, transfer: Transfer): SharedRepository {
  return {
    ...repository,
    pushBlob: async (descriptor, open, signal) =>
      await transfer(descriptor.size, () => repository.pushBlob(descriptor, open, signal)),
  };
}

async function push({ open, store, made, keyOf }: Parts, step: PublishStep, signal: AbortSignal): Promise<Published> {
  const { owner, artifact, previous, layer, transfer, origin } = step;
  const target = targetOf(owner);
  const { repository, reference } = await open(owner, target, signal);
  // Before anything is sent: nothing is pushed that could not be signed.
  const key = await keyOf(owner, target, signal);
  const stored = await storedImage(store, owner);
  const aliases = renderAliases(target.tags ?? [], aliasVariables(artifact, target));
  const { descriptor: manifest } = stored.image;
  const { digest } = manifest;
  const object = accessKey({ uid: owner.uid, url: target.url });
  const common = { repository: inTurn(repository, transfer), owner: storeOwner(owner), uid: owner.uid, aliases };
  let attached: Attached = {};
  await pushArtifact(
    {
      ...common,
      ...mountSource(layer, reference, artifact),
      stored,
      onUploaded: () => made.set(object, digest, {}),
      beforeAliases: async () =>
        void (attached = await attach({ ...common, reference, manifest, target, key, origin }, signal)),
    },
    signal,
  );
  const known = pushedDigests(previous, target.url);
  const preexisting = preexistingIn(previous, target.url);
  if (made.has(object, digest)) preexisting.delete(digest);
  else if (!known.includes(digest)) preexisting.add(digest);
  const pushed = [digest, ...known.filter((other) => other !== digest)];
  const { remaining, refused } = await pruned(target, { ...common, pushed, preexisting }, signal);
  const { note, ...signatures } = attached;
  return {
    rows: rowsOf(target.url, remaining.slice(0, maxRemembered), { aliases, preexisting, signatures }),
    note: note ?? (refused && `${target.url} keeps older manifests: ${refused.message}`),
  };
}

/** Keys are read anew each time, as all Secrets are. */
function signingKeys(sources: TargetSources): Parts["keyOf"] {
  let keys: Promise<SigningKeys> | undefined;
  return async ({ key: { namespace } }, { sign }, signal) => {
    if (sign === undefined) return undefined;
    const { name } = sign.secretRef;
    try {
      const values = await sources.signingSecret(name, namespace, signal);
      // Loaded when the first object asks for it: most controllers sign nothing.
      keys ??= import("../sign/secret-key.ts").then((loaded) => new loaded.SigningKeys());
      return await (await keys).of(values, `${namespace}/${name}`);
    } catch (error) {
      if (!secretCodes.has(codeOf(error))) throw error;
      throw new CodedError("SigningFailed", `publish.oci.sign: ${messageOf(error)}`, { cause: error });
    }
  };
}

/** What is wrong with a key is not the fault of the source, of which the same codes speak. */
const secretCodes = new Set(["SecretNotFound", "SecretInvalid"]);

/** Where the registry has the layer already. */
function mountSource(
  layer: PushedLayer | undefined,
  { registry }: RegistryReference,
  artifact: Artifact,
): { mountFrom?: string } {
  return layer?.registry === registry && layer.layer.descriptor.digest === artifact.digest
    ? { mountFrom: layer.repository }
    : {};
}

/** Without `retain` nothing is ever deleted. */
async function pruned(
  { retain }: PublishOci,
  request: Omit<PruneRequest, "retain">,
  signal: AbortSignal,
): Promise<Pick<PruneResult, "remaining" | "refused">> {
  return retain === undefined
    ? { remaining: request.pushed, refused: undefined }
    : await prunePushed({ ...request, retain }, signal);
}

/** api.md, "Template variables", as far as they make sense for a whole artifact. */
function aliasVariables(artifact: Artifact, target: PublishOci): Record<string, string | undefined> {
  const annotations = Object.entries(artifact.metadata ?? {}).map(
    ([key, value]) => [`annotation:${key}`, value] as const,
  );
  return {
    tag: tagOfRevision(artifact.revision),
    digest: artifact.digest.replace(":", "-"),
    hex: hexOf(artifact.digest),
    repository: target.url.slice(target.url.lastIndexOf("/") + 1),
    ...Object.fromEntries(annotations),
  };
}

/** Manifests that were pushed to this target, newest first. */
function pushedDigests(previous: readonly PublishedStatus[], url: string): Digest[] {
  return rowsOfTarget(previous, url).map(({ digest }) => digest);
}

function preexistingIn(previous: readonly PublishedStatus[], url: string): Set<Digest> {
  return new Set(rowsOfTarget(previous, url).flatMap((row) => (row.preexisting === true ? [row.digest] : [])));
}

type PushedRow = PublishedStatus & { readonly digest: Digest };

function rowsOfTarget(previous: readonly PublishedStatus[], url: string): PushedRow[] {
  return previous.filter(
    (row): row is PushedRow =>
      row.kind === "OCIArtifact" && row.url === url && row.digest !== undefined && isDigest(row.digest),
  );
}

interface RowFacts {
  readonly aliases: readonly string[];
  readonly preexisting: ReadonlySet<Digest>;
  readonly signatures: Pick<PublishedStatus, "signature" | "attestation">;
}

/** The first row is what was pushed last; the others have no tags, and what signs them is no longer looked after. */
function rowsOf(
  url: string,
  digests: readonly Digest[],
  { aliases, preexisting, signatures }: RowFacts,
): PublishedStatus[] {
  return digests.map((digest, at) => ({
    kind: "OCIArtifact",
    url,
    digest,
    ...(at === 0 && { tags: [...aliases], ...signatures }),
    ...(preexisting.has(digest) && { preexisting: true }),
  }));
}
