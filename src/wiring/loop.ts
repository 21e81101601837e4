import type { ImagePolicy } from "../../api/flux/image.ts";
import type { ExternalArtifact } from "../../api/flux/source.ts";
import { KIND, RECONCILE_REQUEST_ANNOTATION } from "../../api/v1beta1/constants.ts";
import { ReconcileMemory } from "../controller/memory.ts";
import type { Deps, Next } from "../controller/ports.ts";
import { reconcile } from "../controller/reconcile.ts";
import type { RawObject } from "../controller/status-writer.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { KubeClient, KubeObject, ResourceType } from "../kube/client.ts";
import { startInformer, type Informer } from "../kube/informer.ts";
import { Queue, type QueueEvent } from "../kube/queue.ts";
import { dependenciesOf, objectKey, ownerOf, queueKey } from "./dependents.ts";
import { artifactRepositories, externalArtifacts, imagePolicies, secrets } from "./kinds.ts";

export interface LoopOptions {
  readonly kube: KubeClient;
  /** Undefined is every namespace. */
  readonly namespace: string | undefined;
  /** Only ArtifactRepositories with these labels. */
  readonly labelSelector: string | undefined;
  readonly concurrent: number;
  readonly backoff: { readonly baseMs: number; readonly maxMs: number };
  readonly log: Deps["log"];
  readonly onQueueEvent?: (event: QueueEvent) => void;
  /** How a reconcile went, for metrics. */
  readonly onReconciled?: (key: { namespace: string; name: string }, result: "success" | "error" | "requeue_after" | "requeue", milliseconds: number) => void;
  readonly onDeleted?: (object: RawObject) => void;
}

/** The caches of one process. They fill whether it leads or not, so that a standby can take over at once. */
export interface Caches {
  readonly objects: Informer<RawObject>;
  readonly externalArtifacts: Informer<ExternalArtifact>;
  readonly synced: Promise<void>;
  /** Sends what changes to a queue. */
  feed(queue: Queue | undefined, memory: ReconcileMemory | undefined): void;
}

/** Starts to list and watch. */
export function startCaches(options: LoopOptions, signal: AbortSignal): Caches {
  const { kube, namespace, labelSelector, log } = options;
  let queue: Queue | undefined;
  let memory: ReconcileMemory | undefined;
  const watch = <T extends KubeObject>(type: ResourceType, more: { labelSelector?: string | undefined; metadataOnly?: boolean }, onChange: (kind: "added" | "modified" | "deleted", object: T, old: T | undefined) => void): Informer<T> =>
    startInformer<T>(kube, type, { namespace, ...more, onChange, onError: (error: unknown) => log("error", `watching ${type.plural}: ${messageOf(error)}`, { code: codeOf(error) }) }, signal);
  const wakeDependents = (object: KubeObject, isNamed: (dependencies: ReturnType<typeof dependenciesOf>, name: string) => boolean): void => {
    for (const candidate of objects.list()) {
      if (candidate.metadata.namespace === object.metadata.namespace && isNamed(dependenciesOf(candidate), object.metadata.name)) wake(queue, candidate);
    }
  };
  const objects = watch<RawObject>(artifactRepositories, { labelSelector }, (kind, object, old) => {
    if (kind === "deleted") {
      memory?.forget(object.metadata.uid ?? "");
      options.onDeleted?.(object);
    } else if (old === undefined || isForUs(old, object)) wake(queue, object);
  });
  const artifacts = watch<ExternalArtifact & KubeObject>(externalArtifacts, {}, (kind, object, old) => {
    const owner = ownerOf(object, KIND);
    if (owner === undefined || objects.get(owner) === undefined) return;
    if (kind === "deleted" || requestOf(object) !== (old && requestOf(old))) queue?.add(queueKey(owner));
  });
  const policies = watch<ImagePolicy & KubeObject>(imagePolicies, {}, (_, object, old) => {
    const isMoved = JSON.stringify(object.status?.latestRef) !== JSON.stringify(old?.status?.latestRef);
    if (isMoved) wakeDependents(object, ({ imagePolicy }, name) => imagePolicy === name);
  });
  const pullSecrets = watch(secrets, { metadataOnly: true }, (kind, object, old) => {
    // The first listing is no change; every object is reconciled then anyway.
    const isChange = kind !== "added" || queue !== undefined;
    if (isChange && object.metadata.resourceVersion !== old?.metadata.resourceVersion) wakeDependents(object, (dependencies, name) => dependencies.secrets.includes(name));
  });
  return {
    objects,
    externalArtifacts: artifacts,
    synced: Promise.all([objects.synced, artifacts.synced, policies.synced, pullSecrets.synced]).then(() => undefined),
    feed: (to, remembered) => {
      queue = to;
      memory = remembered;
      if (to) for (const object of objects.list()) to.add(queueKey(object.metadata));
    },
  };
}

/** A change that asks for work: an edit, a deletion, a request. Our own writes are none. */
function isForUs(old: RawObject, object: RawObject): boolean {
  return old.metadata.uid !== object.metadata.uid || old.metadata.generation !== object.metadata.generation || old.metadata.deletionTimestamp !== object.metadata.deletionTimestamp || requestOf(old) !== requestOf(object);
}

function requestOf(object: { readonly metadata: { readonly annotations?: Readonly<Record<string, string>> } }): string | undefined {
  return object.metadata.annotations?.[RECONCILE_REQUEST_ANNOTATION];
}

/** What has changed is worth a first try, whatever happened before. */
function wake(queue: Queue | undefined, object: KubeObject): void {
  queue?.forget(queueKey(object.metadata));
  queue?.add(queueKey(object.metadata));
}

/** Reconciles what the caches show, until it is stopped. Returns how to stop it. */
export function startLoop(caches: Caches, deps: Deps, options: LoopOptions): { readonly queue: Queue; stop(graceMs: number): Promise<readonly string[]> } {
  const memory = new ReconcileMemory();
  const queue: Queue = new Queue({
    concurrent: options.concurrent,
    backoff: options.backoff,
    process: async (key, signal) => {
      const object = caches.objects.get(objectKey(key));
      if (object === undefined) return queue.forget(key);
      const start = performance.now();
      const next = await reconcile(object, memory, deps, signal).catch((error: unknown) => failed(error));
      options.onReconciled?.(objectKey(key), resultOf(next), performance.now() - start);
      schedule(queue, key, next);
    },
    onError: (key, error) => options.log("error", messageOf(error), { code: codeOf(error), ...objectKey(key) }),
    ...(options.onQueueEvent && { onEvent: options.onQueueEvent }),
  });
  const failed = (error: unknown): Next => {
    if (codeOf(error) === "Aborted") return { kind: "forget" };
    // Somebody else has changed the object meanwhile; the cache is about to show it.
    if (codeOf(error) !== "KubeConflict") options.log("error", messageOf(error), { code: codeOf(error) });
    return { kind: "retry", code: codeOf(error), notBeforeMs: (error instanceof CodedError ? error.retryAfterMs : undefined) ?? 0 };
  };
  caches.feed(queue, memory);
  queue.start();
  return {
    queue,
    stop: async (graceMs) => {
      caches.feed(undefined, undefined);
      return await queue.stop(graceMs);
    },
  };
}

function schedule(queue: Queue, key: string, next: Next): void {
  if (next.kind === "retry") return queue.retry(key, next.notBeforeMs);
  queue.forget(key);
  if (next.kind === "after") queue.addAfter(key, next.milliseconds);
}

function resultOf(next: Next): "success" | "error" | "requeue_after" {
  if (next.kind === "retry") return "error";
  return next.kind === "after" ? "requeue_after" : "success";
}
