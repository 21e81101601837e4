import { isDeepStrictEqual } from "node:util";
import { artifactRepositories, externalArtifacts, imagePolicies, secrets, type ResourceType } from "../../api/kinds.ts";
import type { ImagePolicy } from "../../api/flux/image.ts";
import type { ExternalArtifact } from "../../api/flux/source.ts";
import { KIND } from "../../api/v1beta1/constants.ts";
import { informerDefaults } from "../config.ts";
import type { Deps } from "./ports.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { KubeClient, KubeObject, ObjectKey } from "../kube/client.ts";
import { startInformer, type Informer } from "../kube/run/informer.ts";
import { readRequestedAt } from "../publish/external-artifact.ts";
import { dependenciesOf, ownerOf } from "./dependents.ts";
import type { RawObject } from "../pipeline/object.ts";

export interface CacheOptions {
  readonly kube: KubeClient;
  /** Undefined is every namespace. */
  readonly namespace: string | undefined;
  /** Only ArtifactRepositories with these labels. */
  readonly labelSelector: string | undefined;
  readonly log: Deps["log"];
}

/** Whom the caches tell. */
export interface Listener {
  /**
   * Something about the object, or about what it refers to, asks for a reconcile.
   * @param why `start`: nothing has happened yet; `edit`: what was read of the object before is void
   */
  wake(key: ObjectKey, why: "start" | "event" | "edit"): void;
  /** The cache has it in this state now. */
  changed(object: RawObject): void;
  /** The cache has it no more: it is gone, or its labels have changed. */
  deleted(object: RawObject): void;
  /** The ExternalArtifact of an object that the cache does not have has come, changed or gone. */
  published(owner: ObjectKey & { readonly uid: string }, artifact: ExternalArtifact): void;
  /** The cache is whole: a list has succeeded. */
  listed(): void;
}

/** The caches of one process. They fill whether it leads or not, so that a standby can take over at once. */
export class Caches {
  readonly objects: Informer<RawObject>;
  readonly externalArtifacts: Informer<ExternalArtifact>;
  readonly synced: Promise<void>;
  readonly #options: CacheOptions;
  readonly #signal: AbortSignal;
  #listener: Listener | undefined;

  /** Starts to list and watch, until the signal ends it. */
  constructor(options: CacheOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    const { labelSelector } = options;
    this.objects = this.#watch<RawObject>(
      artifactRepositories,
      { labelSelector, onListed: () => this.#listener?.listed() },
      (kind, object, old) => this.#objectChanged(kind, object, old),
    );
    this.externalArtifacts = this.#watch<ExternalArtifact>(externalArtifacts, {}, (kind, object, old) =>
      this.#artifactChanged(kind, object, old),
    );
    const policies = this.#watch<ImagePolicy>(imagePolicies, {}, (_, object, old) => this.#policyChanged(object, old));
    const pullSecrets = this.#watch(secrets, { metadataOnly: true }, (_, object) =>
      this.#wakeWhere(object, (candidate, name) => dependenciesOf(candidate).secrets.includes(name)),
    );
    const all = [this.objects, this.externalArtifacts, policies, pullSecrets];
    this.synced = Promise.all(all.map(({ synced }) => synced)).then(() => undefined);
  }

  /** Sends what changes from now on, and everything that is there, to a listener; undefined: to nobody. */
  feed(listener: Listener | undefined): void {
    this.#listener = listener;
    if (listener === undefined) return;
    // In another order each time: should this process end early again and again, it is not for the same ones' benefit.
    for (const { metadata } of shuffled(this.objects.list())) listener.wake(metadata, "start");
    if (this.objects.available) listener.listed();
  }

  /** A client was sent to this path below the storage, and nothing was there: worth a look where a status names it. */
  missed(owner: ObjectKey, path: string): void {
    const artifact = this.objects.get(owner)?.status?.artifact;
    const isLatest = artifact !== undefined && path === artifact.path.replace(/[^/]+$/, "latest.tar.gz");
    if (artifact?.path === path || isLatest) this.#listener?.wake(owner, "event");
  }

  /** Whether objects may exist that the cache leaves out because of their labels. */
  get isSelective(): boolean {
    return this.#options.labelSelector !== undefined;
  }

  /** Whether the cache would have an object in this namespace. */
  watches({ namespace }: ObjectKey): boolean {
    return this.#options.namespace === undefined || this.#options.namespace === namespace;
  }

  #watch<T extends KubeObject>(
    type: ResourceType,
    selection: { labelSelector?: string | undefined; metadataOnly?: boolean; onListed?: () => void },
    onChange: (kind: "added" | "modified" | "deleted", object: T, old: T | undefined) => void,
  ): Informer<T> {
    const { kube, namespace, log } = this.#options;
    const onError = (error: unknown): void =>
      log(codeOf(error) === "CrdMissing" ? "debug" : "error", `watching ${type.plural}: ${messageOf(error)}`, {
        code: codeOf(error),
      });
    return startInformer<T>(
      kube,
      type,
      { ...informerDefaults, namespace, ...selection, onChange, onError },
      this.#signal,
    );
  }

  #objectChanged(kind: string, object: RawObject, old: RawObject | undefined): void {
    if (kind === "deleted") return this.#listener?.deleted(object);
    this.#listener?.changed(object);
    if (old === undefined || isWorthALook(old, object)) this.#listener?.wake(object.metadata, "event");
    if (old !== undefined && isEdited(old, object)) this.#listener?.wake(object.metadata, "edit");
  }

  #artifactChanged(kind: string, object: ExternalArtifact, old: ExternalArtifact | undefined): void {
    const owner = ownerOf(object, KIND);
    if (owner === undefined) return;
    if (this.objects.get(owner) === undefined) return this.#listener?.published(owner, object);
    const isRequest =
      readRequestedAt(object) !== undefined && (old === undefined || readRequestedAt(object) !== readRequestedAt(old));
    if (kind === "deleted" || isRequest) this.#listener?.wake(owner, "event");
  }

  #policyChanged(object: ImagePolicy, old: ImagePolicy | undefined): void {
    if (JSON.stringify(object.status?.latestRef) === JSON.stringify(old?.status?.latestRef)) return;
    this.#wakeWhere(object, (candidate, name) => dependenciesOf(candidate).imagePolicy === name);
  }

  #wakeWhere({ metadata }: KubeObject, isDependent: (candidate: RawObject, name: string) => boolean): void {
    if (this.#listener === undefined) return;
    for (const candidate of this.objects.list()) {
      if (candidate.metadata.namespace === metadata.namespace && isDependent(candidate, metadata.name))
        this.#listener.wake(candidate.metadata, "event");
    }
  }
}

/** Somebody asks for a reconcile, or the labels have changed, which what is published carries, too. */
function isWorthALook(old: RawObject, object: RawObject): boolean {
  return (
    readRequestedAt(old) !== readRequestedAt(object) ||
    !isDeepStrictEqual(old.metadata.labels ?? {}, object.metadata.labels ?? {})
  );
}

/** Also its deletion, and another object under the same name. Our own writes are none. */
function isEdited(old: RawObject, object: RawObject): boolean {
  const before = old.metadata;
  const now = object.metadata;
  return (
    before.uid !== now.uid || before.generation !== now.generation || before.deletionTimestamp !== now.deletionTimestamp
  );
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[]): T[] {
  const result = [...items];
  for (let last = result.length - 1; last > 0; last--) {
    const other = Math.floor(Math.random() * (last + 1));
    [result[last], result[other]] = [result[other]!, result[last]!];
  }
  return result;
}
