import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Agent, request } from "undici";
import { parseAllDocuments } from "yaml";
import { eventually } from "./wait.ts";

/** A Kubernetes object, as loosely typed as tests want it. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    generation?: number;
    resourceVersion?: string;
    [field: string]: unknown;
  };
  spec?: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- tests look into every kind of object
  status?: Record<string, any>; // oxlint-disable-line typescript/no-explicit-any -- as above
  [field: string]: unknown;
}

export interface ObjectRef {
  readonly kind: Kind;
  readonly name: string;
  readonly namespace?: string;
}

/** An answer of the API server that is not a success. */
export class KubeStatusError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(`${status}: ${message}`);
    this.status = status;
  }
}

const kinds = {
  Namespace: "/api/v1/namespaces",
  Secret: "/api/v1/secrets",
  ConfigMap: "/api/v1/configmaps",
  ServiceAccount: "/api/v1/serviceaccounts",
  Service: "/api/v1/services",
  PersistentVolumeClaim: "/api/v1/persistentvolumeclaims",
  Event: "/api/v1/events",
  Deployment: "/apis/apps/v1/deployments",
  NetworkPolicy: "/apis/networking.k8s.io/v1/networkpolicies",
  Lease: "/apis/coordination.k8s.io/v1/leases",
  Role: "/apis/rbac.authorization.k8s.io/v1/roles",
  RoleBinding: "/apis/rbac.authorization.k8s.io/v1/rolebindings",
  ClusterRole: "/apis/rbac.authorization.k8s.io/v1/clusterroles",
  ClusterRoleBinding: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
  CustomResourceDefinition: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
  ArtifactRepository: "/apis/source.strata.dev/v1beta1/artifactrepositories",
  ExternalArtifact: "/apis/source.toolkit.fluxcd.io/v1/externalartifacts",
  OCIRepository: "/apis/source.toolkit.fluxcd.io/v1/ocirepositories",
  HelmRepository: "/apis/source.toolkit.fluxcd.io/v1/helmrepositories",
  HelmChart: "/apis/source.toolkit.fluxcd.io/v1/helmcharts",
  Kustomization: "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations",
} as const;

export type Kind = keyof typeof kinds;

const clusterScoped: ReadonlySet<Kind> = new Set<Kind>([
  "Namespace",
  "ClusterRole",
  "ClusterRoleBinding",
  "CustomResourceDefinition",
]);

/** A small client for tests: the API server's own answers, nothing cached, nothing retried. */
export class Kube {
  readonly #url: string;
  readonly #token: string;
  readonly #dispatcher: Agent;

  constructor(access: { readonly url: string; readonly ca: string; readonly token: string }) {
    this.#url = access.url;
    this.#token = access.token;
    this.#dispatcher = new Agent({ connect: { ca: access.ca }, connections: 8 });
  }

  get(ref: ObjectRef): Promise<KubeObject> {
    return this.#call("GET", pathOf(ref));
  }

  /** Undefined where it does not exist. */
  async find(ref: ObjectRef): Promise<KubeObject | undefined> {
    try {
      return await this.get(ref);
    } catch (error) {
      if (error instanceof KubeStatusError && error.status === 404) return undefined;
      throw error;
    }
  }

  async list(kind: Kind, namespace?: string): Promise<KubeObject[]> {
    return (await this.#call("GET", collectionPath(kind, namespace)))["items"] as KubeObject[];
  }

  create(object: KubeObject): Promise<KubeObject> {
    return this.#call("POST", collectionPath(object.kind as Kind, object.metadata.namespace), object);
  }

  /** Server-side apply. */
  apply(object: KubeObject): Promise<KubeObject> {
    return this.#call(
      "PATCH",
      `${pathOf(refOf(object))}?fieldManager=e2e&force=true`,
      object,
      "application/apply-patch+yaml",
    );
  }

  /** Applies every document of a YAML file, in its order. */
  async applyFile(path: string): Promise<void> {
    for (const object of parseDocuments(await readFile(path, "utf8"))) await this.apply(object);
  }

  /** JSON merge patch. */
  patch(ref: ObjectRef, patch: unknown): Promise<KubeObject> {
    return this.#call("PATCH", pathOf(ref), patch, "application/merge-patch+json");
  }

  delete(ref: ObjectRef): Promise<KubeObject> {
    return this.#call("DELETE", pathOf(ref));
  }

  /** Waits until the object exists and `test` holds; the error shows the object as it was last. */
  waitFor(
    ref: ObjectRef,
    what: string,
    test: (object: KubeObject) => boolean,
    timeoutMs?: number,
  ): Promise<KubeObject> {
    const check = async (): Promise<KubeObject> => {
      const object = await this.get(ref);
      if (!test(object))
        throw new Error(JSON.stringify({ generation: object.metadata.generation, status: object.status }));
      return object;
    };
    return eventually(`${ref.kind} ${ref.namespace ?? ""}/${ref.name}: ${what}`, check, timeoutMs);
  }

  /** A token valid for a day; the account is made when it is missing. */
  async serviceAccountToken(namespace: string, name: string): Promise<string> {
    const account = { kind: "ServiceAccount", name, namespace } as const;
    if ((await this.find(account)) === undefined)
      await this.apply({ apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } });
    const request = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      spec: { expirationSeconds: 86_400 },
    };
    const answer = await this.#call("POST", `${pathOf(account)}/token`, request);
    return String(answer.status?.["token"]);
  }

  /** The status code of a GET. */
  async status(path: string): Promise<number> {
    return (await this.#send("GET", path)).status;
  }

  /** Every object as it is now, then as it changes; the last one of a deleted object has `deleted` set. */
  async *watch(kind: Kind, namespace: string, signal: AbortSignal): AsyncGenerator<KubeObject & { deleted?: boolean }> {
    const { body, statusCode } = await request(`${this.#url}${collectionPath(kind, namespace)}?watch=true`, {
      dispatcher: this.#dispatcher,
      headers: { authorization: `Bearer ${this.#token}`, accept: "application/json" },
      bodyTimeout: 0,
      signal,
    });
    if (statusCode !== 200) throw new KubeStatusError(statusCode, await body.text());
    for await (const line of createInterface({ input: body })) {
      const event = JSON.parse(line) as { type: string; object: KubeObject };
      if (event.type === "ERROR") throw new Error(`the watch of ${kind} ended: ${line}`);
      yield event.type === "DELETED" ? { ...event.object, deleted: true } : event.object;
    }
  }

  close(): Promise<void> {
    return this.#dispatcher.close();
  }

  async #call(method: Method, path: string, body?: unknown, contentType?: string): Promise<KubeObject> {
    const { status, text } = await this.#send(method, path, body, contentType);
    const answer = parse(text);
    if (status >= 300)
      throw new KubeStatusError(
        status,
        typeof answer["message"] === "string" ? answer["message"] : text.slice(0, 1000),
      );
    return answer;
  }

  async #send(
    method: Method,
    path: string,
    body?: unknown,
    contentType = "application/json",
  ): Promise<{ status: number; text: string }> {
    const response = await request(`${this.#url}${path}`, {
      method,
      dispatcher: this.#dispatcher,
      headers: { authorization: `Bearer ${this.#token}`, accept: "application/json", "content-type": contentType },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: response.statusCode, text: await response.body.text() };
  }
}

type Method = "GET" | "POST" | "PATCH" | "DELETE";

export function parseDocuments(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

export function condition(
  object: KubeObject,
  type: string,
): { type: string; status: string; reason: string; message: string; observedGeneration?: number } | undefined {
  return object.status?.["conditions"]?.find((candidate: { type: string }) => candidate.type === type);
}

/** Ready=True for the present generation. */
export function isReady(object: KubeObject): boolean {
  const ready = condition(object, "Ready");
  return (
    ready?.status === "True" && (ready.observedGeneration ?? object.metadata.generation) === object.metadata.generation
  );
}

/** Ready, with its artifact: Flux's controllers write their conditions first, and the rest of the status a moment later. */
export function hasArtifact(object: KubeObject): boolean {
  return isReady(object) && object.status?.["artifact"] !== undefined;
}

function parse(text: string): KubeObject {
  try {
    return JSON.parse(text) as KubeObject;
  } catch {
    return { message: text } as unknown as KubeObject;
  }
}

function refOf(object: KubeObject): ObjectRef {
  const { name, namespace } = object.metadata;
  return { kind: object.kind as Kind, name, ...(namespace !== undefined && { namespace }) };
}

function collectionPath(kind: Kind, namespace: string | undefined): string {
  const path: string | undefined = kinds[kind];
  if (path === undefined) throw new Error(`e2e/kube.ts does not know the kind ${kind}`);
  if (clusterScoped.has(kind) || namespace === undefined) return path;
  const at = path.lastIndexOf("/");
  return `${path.slice(0, at)}/namespaces/${namespace}${path.slice(at)}`;
}

function pathOf(ref: ObjectRef): string {
  return `${collectionPath(ref.kind, ref.namespace)}/${ref.name}`;
}
