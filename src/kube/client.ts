import type { ResourceType } from "../../api/kinds.ts";
import type { FluxObjectMeta } from "../../api/flux/source.ts";

/** A kind on the API server. All kinds that Strata deals with are namespaced. */
export interface ObjectKey {
  readonly namespace: string;
  readonly name: string;
}

/** The fields of metav1.ObjectMeta that are used. */
export interface ObjectMeta extends FluxObjectMeta {
  readonly creationTimestamp?: string;
  readonly finalizers?: readonly string[];
}

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

export interface ListOptions {
  /** Undefined is every namespace. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Only apiVersion, kind and metadata (PartialObjectMetadata): for Secrets, whose values need not be held. */
  readonly metadataOnly?: boolean | undefined;
}

export interface ObjectList<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** One event of a watch. `BOOKMARK` carries only a resourceVersion. */
export interface WatchEvent<T> {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: T;
}

export interface PatchOptions {
  readonly fieldManager: string;
  readonly subresource?: "status" | undefined;
}

export interface ApplyOptions extends PatchOptions {
  /** Takes fields over from other managers. */
  readonly force: boolean;
}

export interface DeleteOptions {
  /** Delete only this very object. */
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

/** What a TokenRequest asks for. */
export interface WantedToken {
  readonly audiences: readonly string[];
  /** The API server may choose another life. */
  readonly expirationSeconds?: number;
}

/**
 * The Kubernetes API as far as Strata needs it. Errors of every method: NotFound (not for `get`), KubeConflict (409),
 * KubeRejected (400, 422, admission), AccessDenied (401, 403), CrdMissing (the kind does not exist on the server),
 * KubeUnreachable (connection, 429, 5xx, with retryAfterMs where the server said so), Aborted.
 */
export interface KubeClient {
  /** Undefined where the object does not exist. @throws CrdMissing where its kind does not */
  get<T extends KubeObject>(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<T | undefined>;
  /** Reads page by page. */
  list<T extends KubeObject>(type: ResourceType, options: ListOptions, signal: AbortSignal): Promise<ObjectList<T>>;
  /**
   * Events after `resourceVersion`, until the server ends the watch. An ERROR event is thrown: KubeConflict for
   * 410 Gone, which asks for a new list.
   */
  watch<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T>;
  /** Replaces the object; a `resourceVersion` in it guards against lost updates. */
  update<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T>;
  /** JSON merge patch (RFC 7386). */
  patch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    patch: object,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<T>;
  /** Server-side apply. */
  apply<T extends KubeObject>(type: ResourceType, object: T, options: ApplyOptions, signal: AbortSignal): Promise<T>;
  /** What is gone already is not an error. */
  delete(type: ResourceType, key: ObjectKey, options: DeleteOptions, signal: AbortSignal): Promise<void>;
  /** A token of a service account (TokenRequest API), for one audience or as it is wanted. */
  requestToken(key: ObjectKey, wanted: string | WantedToken, signal: AbortSignal): Promise<string>;
}
