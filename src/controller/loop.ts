import { CodedError, codeOf, messageOf, type ErrorCode } from "../errors.ts";
import type { ObjectKey } from "../kube/client.ts";
import { systemClock, type Clock } from "../kube/clock.ts";
import { Permits } from "../kube/run/permits.ts";
import { Queue, type QueueEvent } from "../kube/run/queue.ts";
import type { ReconcileResult } from "../runtime/metrics.ts";
import type { Caches, Listener } from "./caches.ts";
import { Departures } from "./departures.ts";
import type { Departed } from "./finalize.ts";
import { collectOrphans } from "./orphans.ts";
import { isServedHere } from "./stored.ts";
import { objectKey, queueKey } from "./dependents.ts";
import { Losses } from "./losses.ts";
import { ReconcileMemory } from "./memory.ts";
import { retryOf, type Deps, type Next } from "./ports.ts";
import { reconcile } from "./reconcile.ts";
import { capacity, inTurn } from "./capacity.ts";
import type { RawObject } from "../pipeline/object.ts";

export interface LoopOptions {
  readonly concurrent: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  /** Runs the work on an object, so that what it logs can be told from the rest. */
  readonly within?: <T>(key: ObjectKey, work: () => Promise<T>) => Promise<T>;
  readonly onQueueEvent?: (event: QueueEvent) => void;
  readonly onReconciled?: (key: ObjectKey, result: ReconcileResult, milliseconds: number) => void;
  readonly onDeleted?: (object: RawObject) => void;
  /** What is done to one object in its turn. Default: `reconcile`. */
  readonly work?: typeof reconcile;
  /** Decides when the next turn of an object is. */
  readonly clock?: Clock;
}

/**
 * An API server that was away comes back for all objects at once: none should go on waiting for long. While it starts, it
 * refuses what it will soon allow.
 */
const unavailable: ReadonlySet<ErrorCode> = new Set<ErrorCode>(["KubeUnreachable", "AccessDenied"]);
const mostUnavailableMs = 10_000;

/** The reconciler at work. */
export interface Loop {
  readonly queue: Queue;
  /** Starts nothing any more and lets what runs finish for `graceMs`; returns what did not stop even then. */
  readonly stop: (graceMs: number) => Promise<readonly string[]>;
}

/** Reconciles what the caches show, until it is stopped. */
export function startLoop(caches: Caches, deps: Deps, options: LoopOptions): Loop {
  const memory = new ReconcileMemory();
  const departures = new Departures(caches);
  const losses = new Losses(deps, memory);
  const parts = { caches, deps, memory, departures, losses, firsts: new Set<string>(), options };
  const queue = makeQueue(parts);
  const stopping = new AbortController();
  caches.feed(listener(queue, parts, stopping.signal));
  void losses.tell(caches.objects.list(), stopping.signal);
  queue.start();
  return {
    queue,
    stop: async (graceMs) => {
      caches.feed(undefined);
      stopping.abort(new CodedError("Aborted", "the controller is stopping"));
      return await queue.stop(graceMs);
    },
  };
}

interface Parts {
  readonly caches: Caches;
  readonly deps: Deps;
  readonly memory: ReconcileMemory;
  readonly departures: Departures;
  readonly losses: Losses;
  /** Keys that wait for their first turn since the start, for no other reason. */
  readonly firsts: Set<string>;
  readonly options: LoopOptions;
}

/** Queues what the caches tell. */
function listener(queue: Queue, parts: Parts, signal: AbortSignal): Listener {
  const { caches, deps, memory, departures, firsts, options } = parts;
  const wake: Listener["wake"] = (key, why) => {
    if (why === "start") firsts.add(queueKey(key));
    else firsts.delete(queueKey(key));
    // What has changed is worth a first try, whatever happened before.
    queue.forget(queueKey(key));
    queue.add(queueKey(key), why !== "start");
    if (why === "edit") queue.interrupt(queueKey(key), outdated);
  };
  const depart = (object: Departed): void => {
    departures.add(object);
    wake(object.metadata, "start");
  };
  return {
    wake,
    changed: (object) => memory.statuses.caughtUp(object),
    deleted: (object) => {
      queue.interrupt(queueKey(object.metadata), outdated);
      memory.forget(object.metadata.uid ?? "");
      depart(object);
      options.onDeleted?.(object);
    },
    published: (owner, artifact) => {
      if (departures.has(owner)) wake(owner, "event");
      // Made at the very moment that its owner went.
      else if (!caches.isSelective || isServedHere(artifact.status, deps.store)) depart({ metadata: owner });
    },
    listed: () => void collectOrphans(caches, deps, depart, signal),
  };
}

/** Its groups are namespaces: however many objects one has, the others have their turns. */
function makeQueue({ caches, deps, memory, departures, losses, firsts, options }: Parts): Queue {
  const { concurrent, backoff, onQueueEvent, work = reconcile, clock = systemClock } = options;
  const { within = async (_, turn) => await turn() } = options;
  const transfers = new Permits(capacity.transfers(concurrent));
  const queue: Queue = new Queue({
    concurrent,
    most: capacity.underWay(concurrent),
    asideAfterMs: capacity.asideAfterMs,
    groupOf: (key) => objectKey(key).namespace,
    backoff,
    clock,
    process: async (key, turn) => {
      const at = objectKey(key);
      const { signal, addedAt: askedAt } = turn;
      const isFirst = firsts.delete(key);
      await losses.begin(key);
      const isSettled = await departures.settle(at, deps, signal);
      const object = caches.objects.get(at);
      if (object === undefined) return isSettled ? queue.forget(key) : queue.retry(key);
      const start = clock.now();
      const context = { memory, deps, askedAt, isFirst, transfer: inTurn(transfers, at.namespace, turn), signal };
      const next = await within(at, async () => await work(object, context).catch(endedBy(deps, signal)));
      // One that is gone by now has no series any more, and must not get a new one.
      if (caches.objects.get(at) !== undefined) options.onReconciled?.(at, resultOf(next), clock.now() - start);
      schedule(queue, key, next);
      if (!isSettled) queue.addAfter(key, backoff.baseMs);
    },
    onError: (key, error) => deps.log("error", messageOf(error), { code: codeOf(error), ...objectKey(key) }),
    ...(onQueueEvent && { onEvent: onQueueEvent }),
  });
  return queue;
}

const forget: Next = { kind: "forget" };
const outdated = new CodedError("Aborted", "the object has been edited or deleted");

/** Only the Kubernetes API fails a reconcile; it is tried again. One that was aborted has been woken anew, or is not wanted. */
function endedBy({ log }: Deps, signal: AbortSignal): (error: unknown) => Next {
  return (error) => {
    const code = codeOf(error);
    if (signal.aborted || code === "Aborted") return forget;
    // Somebody else has changed or deleted the object meanwhile; the cache is about to show it.
    log(code === "KubeConflict" || code === "NotFound" ? "debug" : "error", messageOf(error), { code });
    return retryOf(error);
  };
}

function schedule(queue: Queue, key: string, next: Next): void {
  if (next.kind === "retry")
    return queue.retry(key, next.notBeforeMs, unavailable.has(next.code) ? mostUnavailableMs : undefined);
  if (next.kind === "wait") {
    // The worker is free meanwhile. How often the object was retried still counts.
    void next.until.then(() => queue.add(key));
    return queue.addAfter(key, next.milliseconds);
  }
  queue.forget(key);
  if (next.kind === "after") queue.addAfter(key, next.milliseconds);
}

function resultOf(next: Next): ReconcileResult {
  if (next.kind === "retry") return "error";
  return next.kind === "forget" ? "success" : "requeue_after";
}
