import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import { Reason } from "../../api/v1beta1/conditions.ts";
import { UPSTREAM_REVISION_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { isConditionTrue } from "../kube/conditions.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import { storeOwner, type Identified, type RawObject } from "../pipeline/object.ts";
import { componentStatus } from "../pipeline/component.ts";
import { intervalMs, isTooOften, parseObject, shortestIntervalMs, timeoutMs } from "../pipeline/spec.ts";
import { untilOf } from "../pipeline/old-enough.ts";
import { sooner } from "./cooling.ts";
import { restAfterStart } from "./first-look.ts";
import { finalize, settleFinalizer } from "./finalize.ts";
import { isLost, lostStatus, tellLoss, withoutArtifact } from "./loss.ts";
import type { ReconcileContext } from "./memory.ts";
import { judge } from "./policy.ts";
import { retryOf, type Deps, type Next } from "./ports.ts";
import { withProgress } from "./progress.ts";
import type { Done, Known, Waiting } from "./run-result.ts";
import { Run } from "./run.ts";
import { failureStatus, isUnhandled, progressConditions, successStatus, type StatusBasis } from "./status.ts";
import { writeStatus } from "./status-writer.ts";
import { basisOf, suspend } from "./suspend.ts";

/**
 * One reconcile (api.md): gates, phases, status. It writes the status at most once, besides saying that it takes long.
 *
 * @param cached the object as the cache has it
 * @throws only what the Kubernetes API fails with, and Aborted; everything else ends in the status
 */
export async function reconcile(cached: RawObject, context: ReconcileContext): Promise<Next> {
  const { memory, deps, signal } = context;
  const key: ObjectKey = { namespace: cached.metadata.namespace, name: cached.metadata.name };
  const uid = cached.metadata.uid ?? "";
  const known = memory.statuses.latest(uid, cached);
  if (cached.metadata.deletionTimestamp !== undefined) {
    await finalize(known, deps, signal);
    memory.forget(uid);
    return { kind: "forget" };
  }
  const raw = await settleFinalizer(known, deps.kube, signal);
  if (raw !== known) memory.statuses.remember(uid, cached.metadata.resourceVersion, raw);
  const identity = { key, uid, generation: cached.metadata.generation ?? 0 };
  let object: ArtifactRepository;
  try {
    // What is not read need not be parsed; the status is taken as it was written last.
    object = parseObject({
      ...cached,
      metadata: { ...cached.metadata, managedFields: undefined },
      status: undefined,
    });
  } catch (error) {
    return await refuse({ ...identity, object: raw as unknown as ArtifactRepository }, raw, error, context);
  }
  if (object.spec.suspend === true) return await suspend({ ...identity, object }, raw, context);
  return await new Attempt({ ...identity, object }, raw, cached.metadata.resourceVersion, context).run();
}

/** A spec that makes no sense: said once, then nothing happens until it is edited. */
async function refuse(
  owner: Identified,
  known: RawObject,
  error: unknown,
  { memory, deps, signal }: ReconcileContext,
): Promise<Next> {
  const isGone = await isLost(owner, known.status, deps.store);
  if (isGone) await deps.publishers.externalArtifact.retract(owner, messageOf(error), signal);
  const found = basisOf(owner, known, deps);
  const basis = isGone ? { ...found, before: withoutArtifact(found.before) } : found;
  const after = failureStatus(basis, {
    error,
    url: undefined,
    resolved: undefined,
    verification: undefined,
    isStored: basis.before.artifact !== undefined,
    stored: {},
  });
  const written = await writeStatus({ kube: deps.kube, owner, known, after }, signal);
  if (written === undefined) return { kind: "forget" };
  memory.statuses.remember(owner.uid, known.metadata.resourceVersion, written);
  const { reason, message, code } = judge(error);
  deps.announce.event(owner, { type: "Warning", reason, message, metadata: { code } });
  return { kind: "forget" };
}

class Attempt {
  readonly #owner: Identified;
  readonly #seen: string | undefined;
  #basis: StatusBasis;
  readonly #context: ReconcileContext;
  readonly #run: Run;
  readonly #isForced: boolean;
  /** The object with what was written to it. */
  #known: RawObject;

  /** @param seen resourceVersion of the cached object */
  constructor(owner: Identified, known: RawObject, seen: string | undefined, context: ReconcileContext) {
    this.#owner = owner;
    this.#known = known;
    this.#seen = seen;
    this.#context = context;
    this.#basis = basisOf(owner, known, context.deps);
    const { before, requests } = this.#basis;
    this.#isForced = isUnhandled(requests, before) || context.memory.isRequested(owner.uid);
    this.#run = new Run(owner, before, {
      ...context,
      forced: this.#isForced,
      onLost: async () => await this.#tellLoss(),
    });
  }

  /** At once, since making it again may take minutes, or not be possible: nobody is to be sent to what is not there. */
  async #tellLoss(): Promise<void> {
    const { deps, memory, signal } = this.#context;
    const after = lostStatus(this.#basis, false);
    this.#basis = { ...this.#basis, before: after };
    this.#known = await tellLoss(this.#owner, { known: this.#known, after, isSuspended: false }, deps, signal);
    memory.statuses.remember(this.#owner.uid, this.#seen, this.#known);
  }

  async run(): Promise<Next> {
    const rest = this.#context.isFirst === true && (await restAfterStart(this.#owner, this.#basis, this.#context));
    return rest || (await this.#execute());
  }

  async #execute(): Promise<Next> {
    const result = await withProgress(
      this.#context.deps.settings.progressAfterMs,
      () => this.#tell(`fetching and building the artifact of ${this.#owner.object.spec.url}`),
      () => this.#run.execute(),
    );
    switch (result.kind) {
      case "waiting":
        return await this.#wait(result);
      case "failed":
        return await this.#fail(result.error, result.known);
      case "done":
        return await this.#succeed(result);
    }
  }

  /** Leaves the worker to others. A wait that takes long is told; it has to come back for that. */
  async #wait({ build, patienceMs }: Waiting): Promise<Next> {
    const { spec } = this.#owner.object;
    const { progressAfterMs } = this.#context.deps.settings;
    const isLong = patienceMs <= timeoutMs(spec) - progressAfterMs;
    if (isLong) await this.#tell(`waiting for the artifact of ${spec.url}, which another object is building`);
    return { kind: "wait", until: build, milliseconds: isLong ? patienceMs : Math.min(patienceMs, progressAfterMs) };
  }

  /** Says in the status what the object is at. Only for the eyes, so it does not fail: the final status says what matters. */
  async #tell(message: string): Promise<void> {
    try {
      await this.#write({ ...this.#basis.before, conditions: progressConditions(this.#basis, message) });
    } catch (error) {
      this.#context.deps.log("debug", `progress was not written: ${messageOf(error)}`, { code: codeOf(error) });
    }
  }

  async #succeed(done: Done): Promise<Next> {
    const { deps } = this.#context;
    const { spec } = this.#owner.object;
    const { resolved, artifact, published, built, found, verification, cooling } = done;
    await this.#write(
      successStatus(this.#basis, {
        url: spec.url,
        resolved,
        artifact,
        latestUrl: deps.store.latestUrl(storeOwner(this.#owner)),
        component: found && componentStatus(found),
        selected: built?.selected ?? this.#basis.before.selected,
        verification,
        published: published.rows,
        publishedNote: published.note,
        checksum: this.#run.checksum,
        ignore: spec.ignore,
        cooling,
      }),
    );
    this.#context.memory.requested(this.#owner.uid, false);
    this.#announceSuccess(done);
    this.#tellInterval();
    return sooner(routine(spec, deps), cooling?.until, deps.now());
  }

  /** The last good artifact stays; what has just been stored, but could not be published, is not lost either. */
  async #fail(error: unknown, { stage, resolved, stored, found, verification, built }: Known): Promise<Next> {
    const { deps, memory, signal } = this.#context;
    if (signal.aborted) throw error;
    const { spec } = this.#owner.object;
    const fresh: Partial<ArtifactRepositoryStatus> =
      built === undefined
        ? {}
        : {
            artifact: built.artifact,
            component: found && componentStatus(found),
            selected: built.selected,
            observedContentConfigChecksum: this.#run.checksum,
            url: deps.store.latestUrl(storeOwner(this.#owner)),
          };
    const wrote = await this.#write(
      failureStatus(this.#basis, {
        error,
        stage,
        url: spec.url,
        resolved,
        verification,
        isStored: stored !== undefined,
        stored: fresh,
      }),
    );
    const { code, reason, message, next } = judge(error, stage);
    // Every attempt that it takes is the one that was asked for.
    memory.requested(this.#owner.uid, this.#isForced && next === "retry");
    deps.log("error", messageOf(error), { code, ...this.#owner.key });
    if (wrote || next === "retry")
      deps.announce.event(this.#owner, { type: "Warning", reason, message, metadata: { code } });
    if (next === "retry") return retryOf(error);
    if (next !== "wait") return routine(spec, deps);
    const until = untilOf(error);
    if (until !== undefined) return sooner(routine(spec, deps), until, deps.now());
    return { kind: "after", milliseconds: deps.settings.requeueDependencyMs };
  }

  async #write(after: ArtifactRepositoryStatus): Promise<boolean> {
    const { deps, memory, signal } = this.#context;
    const change = { kube: deps.kube, owner: this.#owner, known: this.#known, after };
    const written = await writeStatus(change, signal);
    if (written === undefined) return false;
    this.#known = written;
    memory.statuses.remember(this.#owner.uid, this.#seen, written);
    return true;
  }

  /** Once for each edit. */
  #tellInterval(): void {
    const { spec } = this.#owner.object;
    if (!isTooOften(spec) || this.#basis.before.observedGeneration === this.#owner.generation) return;
    const message = `interval is ${spec.interval}; the shortest is ${shortestIntervalMs} ms, which is used`;
    this.#context.deps.announce.event(this.#owner, { type: "Warning", reason: "IntervalTooShort", message });
    this.#context.deps.log("info", message, { ...this.#owner.key });
  }

  #announceSuccess({ artifact, built, published }: Done): void {
    const { deps } = this.#context;
    const wasReady = isConditionTrue(this.#basis.before.conditions ?? [], "Ready");
    if (built === undefined && wasReady) return;
    const { spec } = this.#owner.object;
    const upstream = artifact.metadata?.[UPSTREAM_REVISION_ANNOTATION];
    const message =
      built === undefined
        ? `recovered: stored artifact for revision '${artifact.revision}'`
        : `stored artifact with revision '${artifact.revision}'${upstream === undefined ? "" : `, upstream revision '${upstream}'`} from '${spec.url}'`;
    const metadata = {
      revision: artifact.revision,
      digest: artifact.digest,
      ...(upstream !== undefined && { originRevision: upstream }),
    };
    deps.announce.event(this.#owner, {
      type: "Normal",
      reason: built === undefined ? Reason.Succeeded : Reason.NewArtifact,
      message,
      metadata,
    });
    deps.log("info", message, {
      ...this.#owner.key,
      because: built?.reason,
      digest: artifact.digest,
      published: published.rows.length,
      targets: [...new Set(published.rows.map(({ kind }) => kind))],
    });
  }
}

/** The next reconcile that nobody has to ask for; `interval: 0s` wants none, as in Flux. */
function routine(spec: ArtifactRepository["spec"], deps: Deps): Next {
  const ms = intervalMs(spec);
  return ms === 0 ? { kind: "forget" } : { kind: "after", milliseconds: jittered(ms, deps) };
}

/** Spread, so that objects made together do not ask together for ever. */
function jittered(milliseconds: number, { settings, random }: Deps): number {
  const share = settings.intervalJitterPercentage / 100;
  return Math.round(milliseconds * (1 + share * (2 * random() - 1)));
}
