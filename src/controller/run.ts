import type { ArtifactRepositoryStatus, Condition, PublishedStatus, SelectedStatus } from "../../api/v1beta1/status.ts";
import { codeOf } from "../errors.ts";
import type { NextStep, Repository } from "../oci/content.ts";
import { isDigest } from "../oci/digest.ts";
import { settled } from "../oci/fetch-all.ts";
import type { Digest, StagedBlob } from "../oci/types.ts";
import type { Artifact } from "../store/store.ts";
import { selectLayers } from "../select/select.ts";
import type { Selection } from "../select/selection.ts";
import type { Verification } from "../verify/verifier.ts";
import { buildArtifact, selectRequest, type BuildContext } from "../pipeline/build.ts";
import { sourceVerified } from "./conditions.ts";
import { imageFormOf } from "../pipeline/image-form.ts";
import type { ReconcileContext } from "./memory.ts";
import { Phases } from "./phases.ts";
import { failurePolicies } from "./policy.ts";
import type { Freshness } from "../pipeline/ports.ts";
import { publishEverywhere } from "./publish.ts";
import { resolveRoot, tagRule, type Resolved } from "../pipeline/resolve.ts";
import type { BuildKey, RunningBuild, SharedBuild } from "../pipeline/shared-builds.ts";
import { contentChecksum, intervalMs, repositoryOf, timeoutMs } from "../pipeline/spec.ts";
import { reasonToBuild, storedArtifact } from "./stored.ts";
import { verifySource } from "../pipeline/verify.ts";
import { type Identified, storeOwner } from "../pipeline/object.ts";
import type { PushedLayer, Published } from "../publish/port.ts";
import { selectedStatus } from "../pipeline/selected.ts";

/** `forced`: somebody asks for it, whatever is remembered. */
type RunContext = ReconcileContext & { readonly forced: boolean };

/** The same is being built for another object: to be waited for outside of any worker, for a while. */
export class Waiting {
  readonly build: RunningBuild;
  readonly patienceMs: number;

  constructor(build: RunningBuild, patienceMs: number) {
    this.build = build;
    this.patienceMs = patienceMs;
  }
}

/** Objects, aliases and old manifests that are looked at besides the content, generously. */
const maxPublishedParts = 300;

/** One reconcile under way: what is known so far, also where it ends in an error. */
export class Run {
  readonly owner: Identified;
  readonly before: ArtifactRepositoryStatus;
  readonly checksum: string;
  resolved: Resolved | undefined;
  verification: Verification | undefined;
  /** The artifact that is stored and served. */
  stored: Artifact | undefined;
  /** What was selected for it, where that is known. */
  selected: SelectedStatus | undefined;
  published: Published | undefined;
  /** Why something was built; undefined where nothing was. */
  built: string | undefined;
  readonly #context: RunContext;
  readonly #phases: Phases;

  constructor(owner: Identified, before: ArtifactRepositoryStatus, context: RunContext) {
    this.owner = owner;
    this.before = before;
    this.checksum = contentChecksum(owner.object.spec);
    this.selected = before.selected;
    this.#context = context;
    this.#phases = new Phases(owner.object.spec, context);
  }

  /** The phases, in order; what has to be waited for, where that keeps the last of them off. @throws whatever any of them throws */
  async execute(): Promise<Waiting | undefined> {
    const { deps } = this.#context;
    const { spec } = this.owner.object;
    this.stored = await storedArtifact(this.owner, this.before, this.#context);
    const { namespace } = this.owner.key;
    const { repository, resolved } = await this.#phases.asking("resolve", "resolving", async (within) => {
      const opened = await deps.sources.open(spec, namespace, this.#freshness(), within);
      const rule = await tagRule(spec, namespace, deps.kube, within);
      return { repository: opened, resolved: await resolveRoot(rule, opened, this.#nextStep(), within) };
    });
    this.resolved = resolved;
    const layer = await this.#buildUnlessCurrent(repository, resolved);
    if (layer instanceof Waiting) return layer;
    const size = { bytes: this.stored!.size, parts: maxPublishedParts };
    this.published = await this.#phases.moving("publish", size, (within) => this.#publish(layer, within));
    // Storing something has cleaned up already.
    if (this.built === undefined) await deps.store.collect(storeOwner(this.owner));
    return undefined;
  }

  /** What is known to be built reads the manifest at once; what has failed may fail again, and HEAD counts for no pull. */
  #nextStep(): NextStep {
    const isNeeded = reasonToBuild(this.stored, this.before, undefined, this.checksum) !== undefined;
    return isNeeded && !this.#context.memory.hasStalled(this.owner.uid, this.owner.generation) ? "read" : undefined;
  }

  async #buildUnlessCurrent(repository: Repository, resolved: Resolved): Promise<PushedLayer | Waiting | undefined> {
    const { memory, deps, forced } = this.#context;
    const { uid, generation } = this.owner;
    const { digest } = resolved.root;
    const reason = reasonToBuild(this.stored, this.before, resolved, this.checksum);
    const repeated = reason === undefined || forced ? undefined : memory.stalled(uid, generation, digest);
    if (repeated !== undefined) throw repeated;
    try {
      const selection = await this.#verify(repository, resolved);
      if (reason !== undefined) return await this.#build(reason, repository, selection);
      deps.meter.reused(this.stored?.size ?? 0);
      memory.unstall(uid);
      return undefined;
    } catch (error) {
      if (failurePolicies[codeOf(error)].next === "stall") memory.stall(uid, { generation, upstream: digest, error });
      throw error;
    }
  }

  /** What is built has the size and type that were read, not those that a HEAD has stated. */
  async #settled(repository: Repository, resolved: Resolved): Promise<Resolved> {
    const { settings } = this.#context.deps;
    return { ...resolved, root: await settled(repository, resolved.root, settings.limits, this.#context.signal) };
  }

  async #verify(repository: Repository, resolved: Resolved): Promise<Selection | undefined> {
    const { spec } = this.owner.object;
    if (spec.verify === undefined) return undefined;
    const { deps } = this.#context;
    const { limits } = deps.settings;
    const verified = await this.#phases.asking("verify", "verifying", async (signal) => {
      const policy = await deps.sources.verifyPolicy(spec, this.owner.key.namespace, signal);
      const select = selectRequest({ spec, repository, resolved, repositoryPath: "", limits, signal });
      return await verifySource({ verifier: deps.verifier, policy, repository, select });
    });
    this.verification = verified.verification;
    for (const warning of verified.verification?.warnings ?? []) deps.log("info", warning, {});
    return verified.selection;
  }

  async #build(reason: string, repository: Repository, known: Selection | undefined): Promise<PushedLayer | Waiting> {
    const { registry, repository: repositoryPath } = repositoryOf(this.owner.object.spec);
    const { memory, deps } = this.#context;
    this.resolved = await this.#settled(repository, this.resolved!);
    const { root, tag } = this.resolved;
    const key = {
      access: repository.access,
      what: JSON.stringify([registry, repositoryPath, root.digest, tag, this.checksum]),
    };
    const waiting = this.#waiting(key);
    if (waiting) return waiting;
    const build = await deps.builds.run(key, () => this.#takeOrMake(key, repository, known));
    this.built = reason;
    memory.unstall(this.owner.uid);
    memory.stopWaiting(this.owner.uid);
    return { registry, repository: repositoryPath, layer: build.layer };
  }

  /** Each build is waited for once, no longer than the object's own `timeout`; then the object builds for itself. */
  #waiting(key: BuildKey): Waiting | undefined {
    const { memory, deps } = this.#context;
    const running = deps.builds.running(key);
    if (running === undefined) return undefined;
    const patienceMs = memory.patience(this.owner.uid, running, {
      what: key.what,
      mostMs: timeoutMs(this.owner.object.spec),
    });
    return patienceMs > 0 ? new Waiting(running, patienceMs) : undefined;
  }

  async #takeOrMake(key: BuildKey, repository: Repository, known: Selection | undefined): Promise<SharedBuild> {
    const { spec } = this.owner.object;
    const { deps, signal } = this.#context;
    const { meter, settings } = deps;
    const scratch = await deps.scratch();
    try {
      const taken = await deps.builds.take(key, scratch.dir);
      if (taken) {
        meter.reused(taken.blob.size);
        return await this.#store(taken.build, taken.blob);
      }
      const { repository: repositoryPath } = repositoryOf(spec);
      const common = { spec, repository, repositoryPath, resolved: this.resolved!, limits: settings.limits, signal };
      const made = await this.#make(
        { ...common, dir: scratch.dir, onBytes: (_, bytes) => meter.downloaded(bytes) },
        known,
      );
      return await this.#store(made.build, made.blob);
    } finally {
      await scratch.remove();
    }
  }

  async #make(context: BuildContext, known: Selection | undefined): Promise<{ build: SharedBuild; blob: StagedBlob }> {
    const selection =
      known ??
      (await this.#phases.asking("select", "reading the manifests of", (signal) =>
        selectLayers(selectRequest({ ...context, signal })),
      ));
    const bytes = selection.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const size = { bytes, parts: selection.layers.length };
    const { built, image } = await this.#context.transfer(bytes, () =>
      this.#phases.moving("operate", size, async (signal) => {
        const made = await buildArtifact({ ...context, signal }, selection);
        return { built: made, image: await imageFormOf({ ...context, signal }, made) };
      }),
    );
    const { result, revision, metadata } = built;
    const { path: _, ...content } = result.blob;
    const build = {
      owner: storeOwner(this.owner),
      ...content,
      revision,
      metadata,
      selected: selectedStatus(selection, result),
      image,
      layer: selection.layers[0]!,
    };
    return { build, blob: result.blob };
  }

  /** Makes it the object's artifact. Returns the build as the object's own. */
  async #store(build: SharedBuild, blob: StagedBlob): Promise<SharedBuild> {
    const { memory, deps, signal } = this.#context;
    const owner = storeOwner(this.owner);
    const { revision, metadata, image } = build;
    this.stored = await this.#phases.timed("store", () =>
      deps.store.publish(
        { owner, uid: this.owner.uid, blob, revision, metadata, image, keep: this.#announced() },
        signal,
      ),
    );
    this.selected = build.selected;
    memory.intact(this.owner.uid, this.stored.digest);
    return { ...build, owner };
  }

  /** What the ExternalArtifact says until it is told of something newer, which may take as long as an outage lasts. */
  #announced(): readonly Digest[] {
    return (this.before.published ?? []).flatMap(({ kind, digest }) =>
      kind === "ExternalArtifact" && digest !== undefined && isDigest(digest) ? [digest] : [],
    );
  }

  /** Others' answers count where they are newer than the wish for this reconcile; a routine one takes tags of this interval. */
  #freshness(): Freshness {
    const { forced, askedAt } = this.#context;
    const isRoutine = !forced && this.before.observedGeneration === this.owner.generation;
    return { since: askedAt, tagsSince: isRoutine ? askedAt - intervalMs(this.owner.object.spec) / 2 : askedAt };
  }

  async #publish(layer: PushedLayer | undefined, signal: AbortSignal): Promise<Published> {
    const { deps, transfer } = this.#context;
    const previous: readonly PublishedStatus[] = this.before.published ?? [];
    const sourceVerified = this.#sourceVerified();
    return await publishEverywhere(
      { owner: this.owner, artifact: this.stored!, sourceVerified, previous, layer, transfer },
      deps.publishers,
      signal,
    );
  }

  #sourceVerified(): Condition | undefined {
    const [draft] = sourceVerified(this.verification);
    return (
      draft && {
        ...draft,
        lastTransitionTime: `${this.#context.deps.now().toISOString().slice(0, 19)}Z`,
        observedGeneration: this.owner.generation,
      }
    );
  }
}
