import { serviceAccounts, type ResourceType } from "../../../api/kinds.ts";
import { CodedError } from "../../errors.ts";
import { statusOf } from "../../http/failures.ts";
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
import { type Clock, systemClock } from "../clock.ts";
import { Channel, type ChannelOptions } from "./channel.ts";
import { type Call, Exchange, type ExchangeOptions } from "./exchange.ts";
import { acceptFor, collectionPath, nameOf, objectPath, received, typeNameOf } from "./objects.ts";
import { RateLimit } from "./rate-limit.ts";
import { watchEvents } from "./watch.ts";
import { type InCluster, inClusterAccess, type KubeconfigChoice, kubeconfigAccess } from "./kubeconfig.ts";

export interface KubeTuning extends ChannelOptions, Omit<ExchangeOptions, "userAgent"> {
  /** Objects in one page of a list. */
  readonly pageSize: number;
  /** The most that one object or one event may have. */
  readonly maxObjectBytes: number;
  /** The most that one page of a list may have. */
  readonly maxPageBytes: number;
  /** The server ends a watch after a random time between the two. */
  readonly watchSeconds: { readonly min: number; readonly max: number };
}

export interface KubeOptions extends KubeTuning, KubeconfigChoice {
  /** A kubeconfig file, or several as in KUBECONFIG; empty: the pod's service account. */
  readonly kubeconfig?: string | undefined;
  readonly inCluster: InCluster;
  /** Requests a second; no limit where it is not positive. */
  readonly qps: number;
  /** Requests that may exceed `qps` for a moment. */
  readonly burst: number;
  /** `name/version`; the server takes the name for the field manager of what is created and updated. */
  readonly userAgent: string;
  readonly clock?: Clock;
}

export interface KubeConnection {
  readonly client: KubeClient;
  /** The namespace of the kubeconfig's current context, or the pod's. */
  readonly namespace: string;
  /** Cuts every connection; what is under way fails. */
  close(): Promise<void>;
}

/**
 * A client for an API server. It reads the kubeconfig and all that this names, but sends nothing yet.
 *
 * @throws InvalidSpec for a kubeconfig that cannot be used, AccessDenied where a credential plugin fails
 */
export async function connectKube(options: KubeOptions): Promise<KubeConnection> {
  const { kubeconfig = "", inCluster, clock = systemClock } = options;
  const access = kubeconfig === "" ? await inClusterAccess(inCluster) : await kubeconfigAccess(kubeconfig, options);
  const channel = new Channel(access, options, clock);
  await channel.link();
  const limit = new RateLimit(options.qps, options.burst, clock);
  const exchange = new Exchange({ server: access.server, channel, limit, clock, options });
  return { client: new HttpKube(exchange, options), namespace: access.namespace, close: () => channel.close() };
}

/** The Kubernetes API over HTTP. */
class HttpKube implements KubeClient {
  readonly #exchange: Exchange;
  readonly #tuning: KubeTuning;

  constructor(exchange: Exchange, tuning: KubeTuning) {
    this.#exchange = exchange;
    this.#tuning = tuning;
  }

  async get<T extends KubeObject>(type: ResourceType, key: ObjectKey, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.#object<T>(
        type,
        { name: `get ${nameOf(type, key)}`, method: "GET", path: objectPath(type, key), repeatable: true },
        signal,
      );
    } catch (error) {
      if (error instanceof CodedError && error.code === "NotFound") return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions,
    signal: AbortSignal,
  ): Promise<ObjectList<T>> {
    try {
      return await this.#pages<T>(type, { ...options, pageSize: this.#tuning.pageSize }, signal);
    } catch (error) {
      if (statusOf(error) !== 410) throw error;
    }
    // The version that the pages are of is gone, which can happen again with pages, but not without.
    return this.#pages<T>(type, { ...options, pageSize: undefined }, signal);
  }

  async #pages<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { readonly pageSize: number | undefined },
    signal: AbortSignal,
  ): Promise<ObjectList<T>> {
    const name = `list ${typeNameOf(type)}`;
    const call: Call = {
      name,
      method: "GET",
      path: collectionPath(type, options.namespace),
      accept: acceptFor(options, "PartialObjectMetadataList"),
      repeatable: true,
    };
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const query = {
        labelSelector: options.labelSelector || undefined,
        limit: options.pageSize?.toString(),
        continue: next,
      };
      const page = pageOf(await this.#exchange.json({ ...call, query }, this.#tuning.maxPageBytes, signal));
      for (const item of page.items) items.push(received(name, type, item, options.metadataOnly) as T);
      next = page.next;
      if (next === undefined) return { items, resourceVersion: page.resourceVersion };
    }
  }

  async *watch<T extends KubeObject>(
    type: ResourceType,
    options: ListOptions & { readonly resourceVersion: string },
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { maxObjectBytes: maxLineBytes, watchSeconds } = this.#tuning;
    const call = `watch ${typeNameOf(type)}`;
    const query = {
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: options.resourceVersion,
      timeoutSeconds: Math.round(watchSeconds.min + Math.random() * (watchSeconds.max - watchSeconds.min)).toString(),
      labelSelector: options.labelSelector || undefined,
    };
    const accept = acceptFor(options, "PartialObjectMetadata");
    const body = await this.#exchange.stream(
      { name: call, method: "GET", path: collectionPath(type, options.namespace), query, accept, repeatable: true },
      signal,
    );
    yield* watchEvents<T>({ call, type, metadataOnly: options.metadataOnly ?? false, maxLineBytes, body }, signal);
  }

  async create<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T> {
    const call: Call = {
      name: `create ${nameOf(type, object.metadata)}`,
      method: "POST",
      path: collectionPath(type, object.metadata.namespace),
      body: object,
      repeatable: false,
    };
    return this.#object<T>(type, call, signal);
  }

  async update<T extends KubeObject>(type: ResourceType, object: T, signal: AbortSignal): Promise<T> {
    // With a version, the second try would meet the first one's success as a conflict.
    const repeatable = object.metadata.resourceVersion === undefined;
    return this.#object<T>(
      type,
      {
        name: `update ${nameOf(type, object.metadata)}`,
        method: "PUT",
        path: objectPath(type, object.metadata),
        body: object,
        repeatable,
      },
      signal,
    );
  }

  // oxlint-disable-next-line max-params -- as the port has it
  async patch<T extends KubeObject>(
    type: ResourceType,
    key: ObjectKey,
    patch: object,
    options: PatchOptions,
    signal: AbortSignal,
  ): Promise<T> {
    const { metadata } = patch as Partial<KubeObject>;
    const call: Call = {
      name: `patch ${nameOf(type, key)}`,
      method: "PATCH",
      path: objectPath(type, key, options.subresource),
      query: { fieldManager: options.fieldManager },
      contentType: "application/merge-patch+json",
      body: patch,
      repeatable: metadata?.resourceVersion === undefined,
    };
    return this.#object<T>(type, call, signal);
  }

  async apply<T extends KubeObject>(
    type: ResourceType,
    object: T,
    options: ApplyOptions,
    signal: AbortSignal,
  ): Promise<T> {
    const call: Call = {
      name: `apply ${nameOf(type, object.metadata)}`,
      method: "PATCH",
      path: objectPath(type, object.metadata, options.subresource),
      query: { fieldManager: options.fieldManager, force: String(options.force) },
      contentType: "application/apply-patch+yaml",
      body: object,
      repeatable: object.metadata.resourceVersion === undefined,
    };
    return this.#object<T>(type, call, signal);
  }

  async delete(
    type: ResourceType,
    key: ObjectKey,
    { uid, resourceVersion }: DeleteOptions,
    signal: AbortSignal,
  ): Promise<void> {
    const body = { apiVersion: "v1", kind: "DeleteOptions", preconditions: { uid, resourceVersion } };
    const call: Call = {
      name: `delete ${nameOf(type, key)}`,
      method: "DELETE",
      path: objectPath(type, key),
      body,
      repeatable: true,
    };
    try {
      await this.#exchange.json(call, this.#tuning.maxObjectBytes, signal);
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== "NotFound") throw error;
    }
  }

  async requestToken(key: ObjectKey, wanted: string | WantedToken, signal: AbortSignal): Promise<string> {
    const spec = typeof wanted === "string" ? { audiences: [wanted] } : wanted;
    const body = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec };
    const call: Call = {
      name: `request a token of ${nameOf(serviceAccounts, key)}`,
      method: "POST",
      path: objectPath(serviceAccounts, key, "token"),
      body,
      repeatable: true,
    };
    const answer = (await this.#exchange.json(call, this.#tuning.maxObjectBytes, signal)) as {
      status?: { token?: unknown };
    } | null;
    const token = answer?.status?.token;
    if (typeof token !== "string" || token === "")
      throw new CodedError("KubeUnreachable", `${call.name}: the answer holds no token`);
    return token;
  }

  async #object<T extends KubeObject>(type: ResourceType, call: Call, signal: AbortSignal): Promise<T> {
    return received(call.name, type, await this.#exchange.json(call, this.#tuning.maxObjectBytes, signal)) as T;
  }
}

function pageOf(answer: unknown): { items: readonly unknown[]; next: string | undefined; resourceVersion: string } {
  const { items, metadata } = (answer ?? {}) as {
    items?: readonly unknown[] | null;
    metadata?: { resourceVersion?: string; continue?: string };
  };
  return {
    items: items ?? [],
    next: metadata?.continue || undefined,
    resourceVersion: metadata?.resourceVersion ?? "",
  };
}
