import type { ResourceType } from "../../../api/kinds.ts";
import { codeOf, messageOf } from "../../errors.ts";
import type { KubeObject, ListOptions, ObjectKey } from "../../kube/client.ts";
import type { MemoryKube } from "../../kube/local/memory.ts";
import { json, type Reply } from "../registry/reply.ts";
import { memoryContent } from "../registry/store.ts";

export interface KubeCall {
  readonly method: string;
  readonly url: URL;
  readonly accept: string;
  readonly contentType: string;
  readonly body: string;
}

/** What a path names. */
export interface KubeTarget {
  readonly type: ResourceType;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

const path =
  /^\/(?:api|apis\/(?<group>[^/]+))\/(?<version>[^/]+)(?:\/namespaces\/(?<namespace>[^/]+))?\/(?<plural>[^/]+)(?:\/(?<name>[^/]+))?(?:\/(?<subresource>[^/]+))?$/;

/** Undefined where no such kind is served. */
export function targetOf(kinds: readonly ResourceType[], pathname: string): KubeTarget | undefined {
  const groups = path.exec(pathname)?.groups;
  if (groups === undefined) return undefined;
  const type = kinds.find(
    ({ group, version, plural }) =>
      group === (groups["group"] ?? "") && version === groups["version"] && plural === groups["plural"],
  );
  const part = (name: string): string | undefined =>
    groups[name] === undefined ? undefined : decodeURIComponent(groups[name]);
  return type && { type, namespace: part("namespace"), name: part("name"), subresource: part("subresource") };
}

export function noSuchPath(): Reply {
  return {
    status: 404,
    headers: { "content-type": "text/plain" },
    content: memoryContent(Buffer.from("404 page not found\n")),
  };
}

export function statusReply(status: number, reason: string, message: string, name?: string): Reply {
  return json(status, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    code: status,
    details: name === undefined ? {} : { name },
  });
}

const statuses: Readonly<Record<string, readonly [status: number, reason: string]>> = {
  NotFound: [404, "NotFound"],
  KubeConflict: [409, "Conflict"],
  KubeRejected: [422, "Invalid"],
};

export function failureReply(error: unknown, { name }: KubeTarget): Reply {
  const [status, reason] = statuses[codeOf(error)] ?? [500, "InternalError"];
  return statusReply(status, reason, messageOf(error), name ?? "unknown");
}

export function listOptions({ namespace }: KubeTarget, { searchParams }: URL): ListOptions {
  return { namespace, labelSelector: searchParams.get("labelSelector") ?? undefined };
}

/** As an API server shows it: with managedFields, and as PartialObjectMetadata to who asks for that. */
export function shown(object: KubeObject, accept: string): KubeObject {
  const managedFields = [{ manager: "test", operation: "Update", apiVersion: object.apiVersion }];
  const metadata = { ...object.metadata, managedFields };
  return accept.includes("as=PartialObjectMetadata")
    ? { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata }
    : { ...object, metadata };
}

interface Snapshot {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
}

/** The lists that clients are reading page by page. */
export class Pages {
  readonly #snapshots = new Map<string, Snapshot>();

  /** Every `continue` that was handed out is answered with 410 from now on. */
  expire(): void {
    this.#snapshots.clear();
  }

  async list(store: MemoryKube, target: KubeTarget, { url, accept }: KubeCall, signal: AbortSignal): Promise<Reply> {
    const limit = Number(url.searchParams.get("limit") || Infinity);
    const [id = "", start = 0] = url.searchParams.get("continue")?.split("@") ?? [];
    const snapshot =
      id === "" ? await store.list(target.type, listOptions(target, url), signal) : this.#snapshots.get(id);
    if (snapshot === undefined) return statusReply(410, "Expired", "The provided continue parameter is too old");
    const end = Number(start) + limit;
    const items = snapshot.items.slice(Number(start), end).map((item) => listed(target.type, shown(item, accept)));
    const next = end < snapshot.items.length ? `${id || this.#keep(snapshot)}@${end}` : undefined;
    return json(200, {
      kind: `${target.type.kind}List`,
      metadata: { resourceVersion: snapshot.resourceVersion, continue: next },
      items,
    });
  }

  #keep(snapshot: Snapshot): string {
    const id = `list-${this.#snapshots.size}-${snapshot.resourceVersion}`;
    this.#snapshots.set(id, snapshot);
    return id;
  }
}

/** Items of the built-in kinds' lists come without apiVersion and kind. */
function listed({ group }: ResourceType, item: KubeObject): object {
  return group === "" ? { ...item, apiVersion: undefined, kind: undefined } : item;
}

/** Everything but lists and watches. */
export async function answerObject(
  store: MemoryKube,
  target: KubeTarget,
  call: KubeCall,
  signal: AbortSignal,
): Promise<Reply> {
  const { type, namespace = "", name, subresource } = target;
  const verb = verbs[`${call.method}${name === undefined ? "" : " name"}${subresource === "token" ? " token" : ""}`];
  if (verb === undefined)
    return statusReply(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");
  return verb({
    store,
    type,
    key: { namespace, name: name ?? "" },
    subresource: subresource === "status" ? "status" : undefined,
    call,
    signal,
  });
}

interface Verb {
  readonly store: MemoryKube;
  readonly type: ResourceType;
  readonly key: ObjectKey;
  readonly subresource: "status" | undefined;
  readonly call: KubeCall;
  readonly signal: AbortSignal;
}

const parse = ({ body }: KubeCall): unknown => JSON.parse(body);
const parseObject = (call: KubeCall): KubeObject => parse(call) as KubeObject;

const verbs: Readonly<Record<string, (verb: Verb) => Promise<Reply>>> = {
  "GET name": async ({ store, type, key, call, signal }) => {
    const object = await store.get(type, key, signal);
    return object === undefined
      ? statusReply(404, "NotFound", `${type.plural} "${key.name}" not found`, key.name)
      : json(200, shown(object, call.accept));
  },
  POST: async ({ store, type, call, signal }) =>
    json(201, shown(await store.create(type, parseObject(call), signal), call.accept)),
  "PUT name": async ({ store, type, call, signal }) =>
    json(200, shown(await store.update(type, parseObject(call), signal), call.accept)),
  "PATCH name": async ({ store, type, key, subresource, call, signal }) => {
    const options = {
      fieldManager: call.url.searchParams.get("fieldManager") ?? "",
      force: call.url.searchParams.get("force") === "true",
      subresource,
    };
    if (call.contentType === "application/merge-patch+json")
      return json(200, shown(await store.patch(type, key, parseObject(call), options, signal), call.accept));
    if (call.contentType === "application/apply-patch+yaml")
      return json(200, shown(await store.apply(type, parseObject(call), options, signal), call.accept));
    return statusReply(
      415,
      "UnsupportedMediaType",
      `the body of the request was in an unknown format: ${call.contentType}`,
    );
  },
  "DELETE name": async ({ store, type, key, call, signal }) => {
    const { preconditions = {} } = parse(call) as { preconditions?: { uid?: string; resourceVersion?: string } };
    if ((await store.get(type, key, signal)) === undefined)
      return statusReply(404, "NotFound", `${type.plural} "${key.name}" not found`, key.name);
    await store.delete(type, key, preconditions, signal);
    return json(200, { kind: "Status", apiVersion: "v1", status: "Success" });
  },
  "POST name token": async ({ store, key, call, signal }) => {
    const { spec } = parse(call) as { spec: { audiences: string[]; expirationSeconds?: number } };
    return json(201, {
      kind: "TokenRequest",
      status: { token: await store.requestToken(key, spec, signal) },
    });
  },
};
