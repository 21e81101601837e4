import { isDeepStrictEqual } from "node:util";
import { serviceAccounts, type ResourceType } from "../../../api/kinds.ts";
import { CodedError } from "../../errors.ts";
import { timestamp } from "../../text/kube-text.ts";
import type {
  ApplyOptions,
  DeleteOptions,
  KubeClient,
  KubeObject,
  ListOptions,
  ObjectKey,
  ObjectList,
  PatchOptions,
  WantedToken,
  WatchEvent,
} from "../client.ts";
import { AppliedFields } from "./applied-fields.ts";
import { History } from "./memory-history.ts";
import {
  checkObject,
  checkPreconditions,
  checkUpdate,
  conflict,
  freeze,
  isCustom,
  isGone,
  newObject,
  notFound,
  rejected,
  toJson,
  typeNameOf,
  withServerMetadata,
  type StoredObject,
} from "./memory-object.ts";
import { eventOf, selection, shown } from "./memory-view.ts";
import { mergePatch } from "./merge-patch.ts";

/** What was asked of a MemoryKube. */
export interface KubeRequest {
  readonly verb: "get" | "list" | "watch" | "create" | "update" | "patch" | "apply" | "delete" | "token";
  readonly type: ResourceType;
  readonly key?: ObjectKey;
  readonly body?: object;
}

export interface MemoryKubeOptions {
  /** Default: a random one for each new object. */
  readonly uidOf?: (type: ResourceType, key: ObjectKey) => string;
  /** The kinds that exist; every other one is CrdMissing. Default: every kind exists. */
  readonly kinds?: readonly ResourceType[];
  readonly now?: () => Date;
  /** How many changes a watch may lag behind before it is told to list anew. Default: 10,000. */
  readonly historyLength?: number;
  /** Called before every request; what it throws is the answer. */
  readonly onRequest?: (request: KubeRequest) => Promise<void> | void;
  /** Answers `requestToken`; without it there are no tokens. */
  readonly issueToken?: (key: ObjectKey, audience: string) => string;
}

const nameOf = ({ namespace, name }: ObjectKey): string => `${namespace}/${name}`;

/**
 * The Kubernetes API in memory, for standalone mode and tests. Resource versions, generations, finalizers, preconditions, the
 * status subresource of custom resources and watches behave as on an API server. There is no validation by schema, no
 * admission and no garbage collection by owner; server-side apply removes what its manager no longer states, but knows no
 * conflicts between managers. Objects that are returned are frozen.
 */
export class MemoryKube implements KubeClient {
  readonly #options: MemoryKubeOptions;
  readonly #objects = new Map<string, Map<string, StoredObject>>();
  readonly #history: History;
  readonly #applied = new AppliedFields();
  #version = 0;

  constructor(options: MemoryKubeOptions = {}) {
    this.#options = options;
    this.#history = new History(options.historyLength ?? 10_000);
  }

  async get<T extends KubeObject>(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<T | undefined> {
    await this.#admit({ verb: "get", type, key }, signal);
    return this.#find(type, key) as T | undefined;
  }

  async list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<ObjectList<T>> {
    await this.#admit({ verb: "list", type }, signal);
    const isSelected = selection(options);
    const byName = [...this.#all(type)].sort(([a], [b]) => (a < b ? -1 : 1));
    const items = byName.flatMap(([, object]) => (isSelected(object) ? [shown(object, options) as T] : []));
    return { items, resourceVersion: String(this.#version) };
  }

  async *watch<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    await this.#admit({ verb: "watch", type }, signal);
    const isSelected = selection(options);
    for await (const change of this.#history.read(typeNameOf(type), Number(options.resourceVersion), signal)) {
      const event = eventOf(change, isSelected);
      if (event !== undefined) yield { type: event.type, object: shown(event.object, options) as T };
    }
  }

  async create<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T> {
    await this.#admit({ verb: "create", type, key: object.metadata, body: object }, signal);
    return this.#create(type, toJson(object)) as KubeObject as T;
  }

  async update<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T> {
    await this.#admit({ verb: "update", type, key: object.metadata, body: object }, signal);
    const before = this.#mustFind(type, object.metadata);
    checkPreconditions(type, before, { uid: object.metadata.uid });
    if (isCustom(type) && object.metadata.resourceVersion === undefined)
      throw rejected(type, object.metadata, "metadata.resourceVersion must be specified for an update");
    return this.#replace(type, before, toJson(object), undefined) as KubeObject as T;
  }

  // oxlint-disable-next-line max-params -- as the port has it
  async patch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    patch: object,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<T> {
    await this.#admit({ verb: "patch", type, key, body: patch }, signal);
    const before = this.#mustFind(type, key);
    const after = mergePatch(before, JSON.parse(JSON.stringify(patch))) as StoredObject;
    return this.#replace(type, before, after, options.subresource) as KubeObject as T;
  }

  async apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<T> {
    await this.#admit({ verb: "apply", type, key: object.metadata, body: object }, signal);
    const stated = toJson(object);
    const before = this.#find(type, object.metadata);
    const after =
      before === undefined ? this.#applyNew(type, stated, options) : this.#applyTo(type, before, stated, options);
    if (!isGone(after.metadata)) this.#applied.remember(after, options, stated);
    return after as KubeObject as T;
  }

  async delete(type: ResourceType, key: ObjectKey, options: DeleteOptions, signal: AbortSignal): Promise<void> {
    await this.#admit({ verb: "delete", type, key }, signal);
    const object = this.#find(type, key);
    if (object !== undefined) checkPreconditions(type, object, options);
    this.remove(type, key);
  }

  async requestToken(key: ObjectKey, wanted: string | WantedToken, signal: AbortSignal): Promise<string> {
    await this.#admit({ verb: "token", type: serviceAccounts, key }, signal);
    this.#mustFind(serviceAccounts, key);
    if (this.#options.issueToken === undefined)
      throw rejected(serviceAccounts, key, "there are no tokens of service accounts without a cluster");
    return this.#options.issueToken(key, typeof wanted === "string" ? wanted : wanted.audiences.join(","));
  }

  /**
   * Makes an object what a manifest says, creating it where need be. What a manifest does not hold stays: the uid, finalizers,
   * owners, and the status unless it is given.
   * @throws KubeRejected
   */
  put<T extends KubeObject>(type: ResourceType, object: T): T {
    const stated = toJson(object);
    const before = this.#find(type, object.metadata) ?? this.#create(type, stated);
    checkObject(type, stated);
    const { finalizers, ownerReferences } = { ...before.metadata, ...stated.metadata };
    const metadata = { ...stated.metadata, finalizers, ownerReferences };
    return this.#commit(
      type,
      before,
      withServerMetadata(before, toJson({ ...stated, metadata, status: stated.status ?? before.status })),
    ) as KubeObject as T;
  }

  /** What `get` returns, at once. */
  peek(type: ResourceType, key: ObjectKey): KubeObject | undefined {
    return this.#find(type, key);
  }

  /** Deletes an object, or marks it as being deleted while it has finalizers. */
  remove(type: ResourceType, key: ObjectKey): void {
    const before = this.#find(type, key);
    if (before === undefined || before.metadata.deletionTimestamp !== undefined) return;
    const marked = withServerMetadata(before, before, this.#timestamp());
    // Where nothing holds it, it goes as it is: the generation counts up only for those who are to see the mark.
    const { generation } = (isGone(marked.metadata) ? before : marked).metadata;
    this.#commit(type, before, toJson({ ...marked, metadata: { ...marked.metadata, generation } }));
  }

  /** Ends every watch, as an API server does now and then; it is for the watchers to come back. */
  endWatches(): void {
    this.#history.end();
  }

  /** Forgets all changes: whoever watches from an earlier version has to list anew. */
  compact(): void {
    this.#history.forget(this.#version);
  }

  async #admit(request: KubeRequest, signal: AbortSignal): Promise<void> {
    const stopped = (): CodedError => new CodedError("Aborted", `${request.verb} of ${request.type.kind} was stopped`);
    if (signal.aborted) throw stopped();
    await this.#options.onRequest?.(request);
    if (signal.aborted) throw stopped();
    const wanted = typeNameOf(request.type);
    const exists = this.#options.kinds?.some((kind) => typeNameOf(kind) === wanted) ?? true;
    if (!exists) throw new CodedError("CrdMissing", `there is no kind ${request.type.kind} (${wanted})`);
  }

  #all(type: ResourceType): Map<string, StoredObject> {
    const typeName = typeNameOf(type);
    const all = this.#objects.get(typeName) ?? new Map<string, StoredObject>();
    this.#objects.set(typeName, all);
    return all;
  }

  #find(type: ResourceType, key: ObjectKey): StoredObject | undefined {
    return this.#all(type).get(nameOf(key));
  }

  #mustFind(type: ResourceType, key: ObjectKey): StoredObject {
    const object = this.#find(type, key);
    if (object === undefined) throw notFound(type, key);
    return object;
  }

  #timestamp(): string {
    return timestamp(this.#options.now?.() ?? new Date());
  }

  #create(type: ResourceType, { status, ...stated }: StoredObject): StoredObject {
    checkObject(type, stated);
    if (this.#find(type, stated.metadata) !== undefined) throw conflict(type, stated.metadata, "it exists already");
    if (stated.metadata.resourceVersion !== undefined)
      throw rejected(type, stated.metadata, "metadata.resourceVersion must not be set on a new object");
    const given = { creationTimestamp: this.#timestamp(), uid: this.#options.uidOf?.(type, stated.metadata) };
    const created = newObject(type, isCustom(type) ? stated : { ...stated, status }, given);
    return this.#commit(type, undefined, created);
  }

  /** A write by a client, who reaches either the status or the rest. */
  #replace(
    type: ResourceType,
    before: StoredObject,
    stated: StoredObject,
    subresource: "status" | undefined,
  ): StoredObject {
    checkObject(type, stated);
    if (subresource === "status") {
      // Only the version in the metadata counts here; a wrong uid is passed over, as the API server does.
      checkPreconditions(type, before, { resourceVersion: stated.metadata.resourceVersion });
      return this.#commit(type, before, toJson({ ...before, status: stated.status }));
    }
    checkUpdate(type, before, stated);
    const status = isCustom(type) ? before.status : stated.status;
    return this.#commit(type, before, withServerMetadata(before, { ...stated, status }));
  }

  #applyNew(type: ResourceType, stated: StoredObject, { subresource }: ApplyOptions): StoredObject {
    if (subresource !== undefined) throw notFound(type, stated.metadata);
    if (stated.metadata.uid !== undefined)
      throw conflict(type, stated.metadata, `there is none with uid ${stated.metadata.uid}`);
    return this.#create(type, stated);
  }

  #applyTo(type: ResourceType, before: StoredObject, stated: StoredObject, options: ApplyOptions): StoredObject {
    const kept = this.#applied.without(before, options, stated);
    return this.#replace(type, before, mergePatch(kept, stated) as StoredObject, options.subresource);
  }

  #commit(type: ResourceType, before: StoredObject | undefined, next: StoredObject): StoredObject {
    if (before !== undefined && isDeepStrictEqual(before, next)) return before;
    const version = ++this.#version;
    const after = freeze({ ...next, metadata: { ...next.metadata, resourceVersion: String(version) } });
    const gone = isGone(after.metadata);
    if (gone) {
      this.#all(type).delete(nameOf(after.metadata));
      this.#applied.forget(after);
    } else this.#all(type).set(nameOf(after.metadata), after);
    // The last state of what is gone carries the version of its deletion, as a DELETED event does.
    this.#history.add({
      version,
      typeName: typeNameOf(type),
      before: gone ? after : before,
      after: gone ? undefined : after,
    });
    return after;
  }
}
