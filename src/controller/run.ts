import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { FoundResource } from "../component/resolve.ts";
import { codeOf } from "../errors.ts";
import type { NextStep, Repository } from "../oci/content.ts";
import { settled } from "../oci/fetch-all.ts";
import { Alternatives } from "../pipeline/alternatives.ts";
import { takeOldEnough, type Cooling } from "../pipeline/old-enough.ts";
import { storeOwner, type Identified } from "../pipeline/object.ts";
import type { Freshness } from "../pipeline/ports.ts";
import { resolveRoot, tagRule, type Resolved } from "../pipeline/resolve.ts";
import { selectRequest } from "../pipeline/select.ts";
import type { BuildKey } from "../pipeline/shared-builds.ts";
import { contentChecksum, intervalMs, timeoutMs } from "../pipeline/spec.ts";
import { verifySource } from "../pipeline/verify.ts";
import type { Published, PushedLayer } from "../publish/port.ts";
import type { Selection } from "../select/selection.ts";
import type { Artifact } from "../store/store.ts";
import type { TagRule } from "../tags/rule.ts";
import { verifiedCondition } from "./conditions.ts";
import { contentPlace, findForObject, movedResource } from "./find.ts";
import { Maker, type Upstream } from "./maker.ts";
import type { ReconcileContext } from "./memory.ts";
import { originOf } from "./origin.ts";
import { Phases } from "./phases.ts";
import { failurePolicies } from "./policy.ts";
import { publishEverywhere } from "./publish.ts";
import type { Built, Done, Known, RunResult, Waiting } from "./run-result.ts";
import { isServedHere, namesAnother, reasonToBuild, storedArtifact } from "./stored.ts";

/** `forced`: somebody asks for it, whatever is remembered. */
type RunContext = ReconcileContext & {
  readonly forced: boolean;
  /** The artifact of the status is not there, and could not be brought back. */
  readonly onLost: () => Promise<void>;
};

/** What there is to publish. */
interface Current {
  readonly kind: "current";
  /** With the size and type of the root as they were read, where it was. */
  readonly resolved: Resolved;
  readonly artifact: Artifact;
  readonly built: Built | undefined;
  readonly layer: PushedLayer | undefined;
}

/** Objects, aliases and old manifests that are looked at besides the content, generously. */
const maxPublishedParts = 300;

/** One reconcile under way. */
export class Run {
  readonly checksum: string;
  readonly #owner: Identified;
  readonly #before: ArtifactRepositoryStatus;
  readonly #context: RunContext;
  readonly #phases: Phases;
  readonly #maker: Maker;
  #known: Known = {};

  constructor(owner: Identified, before: ArtifactRepositoryStatus, context: RunContext) {
    this.#owner = owner;
    this.#before = before;
    this.checksum = contentChecksum(owner.object.spec);
    this.#context = context;
    this.#phases = new Phases(owner.object.spec, context);
    const onStored = (stored: Artifact): void => this.#learn({ stored });
    this.#maker = new Maker({ owner, before, context, phases: this.#phases, onStored });
  }

  async execute(): Promise<RunResult> {
    try {
      return await this.#run();
    } catch (error) {
      return { kind: "failed", error, known: this.#known };
    }
  }

  /** In order; what has to be waited for keeps the last of them off. @throws whatever any of them throws */
  async #run(): Promise<Done | Waiting> {
    const { deps } = this.#context;
    const { spec } = this.#owner.object;
    const { namespace } = this.#owner.key;
    const stored = await storedArtifact(this.#owner, this.#before, this.#context);
    this.#learn({ stored });
    // Not where the status sends consumers to another shard.
    if (stored === undefined && isServedHere(this.#before, deps.store)) await this.#context.onLost();
    const from = await this.#phases.asking("resolve", "resolving", async (within) => {
      const repository = await deps.sources.open(spec, namespace, this.#freshness(), within);
      this.#learn({ stage: "choosing" });
      const rule = await tagRule(spec, namespace, deps.kube, within);
      if (rule.kind === "fixed") this.#learn({ stage: undefined });
      return { rule, repository, resolved: await resolveRoot(rule, repository, this.#nextStep(rule, stored), within) };
    });
    this.#learn({ stage: undefined });
    const { repository } = from;
    const { current, cooling } = await this.#takeOldEnough(from, stored);
    if (current.kind === "waiting") return current;
    const { artifact, built } = current;
    const { verification, found } = this.#known;
    const size = { bytes: artifact.size, parts: maxPublishedParts };
    const published = await this.#phases.moving("publish", size, (within) =>
      this.#publish({ ...current, repository }, within),
    );
    // Storing something has cleaned up already.
    if (built === undefined) await deps.store.collect(storeOwner(this.#owner));
    return { kind: "done", resolved: current.resolved, verification, found, artifact, built, published, cooling };
  }

  /** What was resolved or, while that is too young for `verify.minAge`, what may be taken in its place. @throws TooYoung, … */
  async #takeOldEnough(
    { rule, repository, resolved: newest }: { rule: TagRule; repository: Repository; resolved: Resolved },
    stored: Artifact | undefined,
  ): Promise<{ readonly current: Current | Waiting; readonly cooling: Cooling | undefined }> {
    const alternatives = new Alternatives({ rule, repository, stored, url: this.#owner.object.spec.url });
    const { taken: current, cooling } = await takeOldEnough(newest, {
      attempt: async (resolved) => {
        this.#learn({ resolved });
        return await this.#buildUnlessCurrent(repository, resolved, stored);
      },
      next: async (young) => {
        const ask = (within: AbortSignal) => alternatives.next(young, within);
        const next = await this.#phases.asking("resolve", "resolving", ask);
        if (next === undefined) this.#learn({ resolved: newest });
        return next;
      },
    });
    return { current, cooling };
  }

  #learn(more: Known): void {
    this.#known = { ...this.#known, ...more };
  }

  /** What is known to be built reads the manifest at once; what has failed may fail again, and HEAD counts for no pull. */
  #nextStep(rule: TagRule, stored: Artifact | undefined): NextStep {
    const isNeeded =
      reasonToBuild(stored, this.#before, undefined, this.checksum) !== undefined || namesAnother(rule, stored);
    return isNeeded && !this.#context.memory.hasStalled(this.#owner.uid, this.#owner.generation) ? "read" : undefined;
  }

  async #buildUnlessCurrent(
    repository: Repository,
    resolved: Resolved,
    stored: Artifact | undefined,
  ): Promise<Current | Waiting> {
    const { memory, deps, forced } = this.#context;
    const { uid, generation } = this.#owner;
    const { digest } = resolved.root;
    const reason = reasonToBuild(stored, this.#before, resolved, this.checksum);
    const repeated = reason === undefined || forced ? undefined : memory.stalled(uid, generation, digest);
    if (repeated !== undefined) throw repeated;
    try {
      const selection = await this.#verify(repository, resolved);
      const found = await this.#find(repository, resolved);
      const toBuild = reason ?? movedResource(this.#before, found);
      if (toBuild !== undefined || stored === undefined)
        return await this.#build(toBuild ?? "nothing is stored", { repository, resolved, found }, selection);
      deps.meter.reused(stored.size);
      memory.unstall(uid);
      return { kind: "current", resolved, artifact: stored, built: undefined, layer: undefined };
    } catch (error) {
      if (failurePolicies[codeOf(error)].next === "stall") memory.stall(uid, { generation, upstream: digest, error });
      throw error;
    }
  }

  /** What is built has the size and type that were read, not those that a HEAD has stated. */
  async #settled(repository: Repository, resolved: Resolved): Promise<Resolved> {
    const { deps, signal } = this.#context;
    return { ...resolved, root: await settled(repository, resolved.root, deps.settings.limits, signal) };
  }

  async #verify(repository: Repository, resolved: Resolved): Promise<Selection | undefined> {
    const { spec } = this.#owner.object;
    if (spec.verify === undefined) return undefined;
    const { deps } = this.#context;
    const { limits } = deps.settings;
    const isComponent = spec.component !== undefined;
    const verified = await this.#phases.asking("verify", "verifying", async (signal) => {
      this.#learn({ stage: "trust" });
      const policy = await deps.sources.verifyPolicy(spec, this.#owner.key.namespace, signal);
      this.#learn({ stage: undefined });
      const select = selectRequest({ spec, repository, resolved, repositoryPath: "", limits, signal });
      return await verifySource({ verifier: deps.verifier, policy, repository, select, isComponent });
    });
    this.#learn({ verification: verified.verification });
    for (const warning of verified.verification?.warnings ?? []) deps.log("info", warning, {});
    return verified.selection;
  }

  async #find(repository: Repository, resolved: Resolved): Promise<FoundResource | undefined> {
    if (this.#owner.object.spec.component === undefined) return undefined;
    const step = { ...this.#known, owner: this.#owner, repository, resolved, freshness: this.#freshness() };
    const find = (signal: AbortSignal) => findForObject(step, this.#context.deps, signal);
    const found = await this.#phases.asking("select", "reading the component of", find);
    this.#learn({ found });
    return found;
  }

  async #build(reason: string, from: Upstream, known: Selection | undefined): Promise<Current | Waiting> {
    const { spec } = this.#owner.object;
    const { memory, deps } = this.#context;
    const { place, isOwn } = contentPlace(spec, from.found);
    const resolved = await this.#settled(from.repository, from.resolved);
    this.#learn({ resolved });
    const { root, tag } = resolved;
    const key = {
      // What another repository shows, each has to see for itself.
      access: isOwn ? from.repository.access : undefined,
      what: JSON.stringify([spec.url, root.digest, from.found?.descriptor.digest, tag, this.checksum]),
    };
    const waiting = this.#waiting(key);
    if (waiting) return waiting;
    const { build, artifact } = await deps.builds.run(key, () =>
      this.#maker.takeOrMake(key, { ...from, resolved }, known),
    );
    const built = { reason, artifact, selected: build.selected };
    this.#learn({ built });
    memory.unstall(this.#owner.uid);
    memory.stopWaiting(this.#owner.uid);
    return { kind: "current", resolved, artifact, built, layer: { ...place, layer: build.layer } };
  }

  /** Each build is waited for once, no longer than the object's own `timeout`; then the object builds for itself. */
  #waiting(key: BuildKey): Waiting | undefined {
    const { memory, deps } = this.#context;
    const running = deps.builds.running(key);
    if (running === undefined) return undefined;
    const patienceMs = memory.patience(this.#owner.uid, running, {
      what: key.what,
      mostMs: timeoutMs(this.#owner.object.spec),
    });
    return patienceMs > 0 ? { kind: "waiting", build: running, patienceMs } : undefined;
  }

  /** Others' answers count where they are newer than the wish for this reconcile; a routine one takes tags of this interval. */
  #freshness(): Freshness {
    const { forced, askedAt } = this.#context;
    const isRoutine = !forced && this.#before.observedGeneration === this.#owner.generation;
    return { since: askedAt, tagsSince: isRoutine ? askedAt - intervalMs(this.#owner.object.spec) / 2 : askedAt };
  }

  async #publish(current: Current & Pick<Upstream, "repository">, signal: AbortSignal): Promise<Published> {
    const { deps, transfer } = this.#context;
    const previous = this.#before.published ?? [];
    const at = { now: deps.now(), generation: this.#owner.generation };
    const sourceVerified = verifiedCondition(this.#known.verification, at);
    const { artifact, layer, built } = current;
    const origin = originOf(this.#owner, current, this.#known, built?.selected ?? this.#before.selected);
    const step = { owner: this.#owner, artifact, sourceVerified, previous, layer, transfer, origin };
    return await publishEverywhere(step, deps.publishers, signal);
  }
}
