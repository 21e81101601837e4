import { isObject, type Json } from "../../text/json.ts";
import { readFile } from "node:fs/promises";
import { delimiter, dirname, isAbsolute, join } from "node:path";
import { CodedError, messageOf, hasErrno } from "../../errors.ts";
import type { KubeAccess, Material } from "./access.ts";
import { pluginMaterial } from "./kubeconfig-plugin.ts";

/** Where a pod finds its service account. */
export interface InCluster {
  /** `https://host:port` of the API server; empty outside a cluster. */
  readonly server: string;
  /** Directory of `token`, `ca.crt` and `namespace`. */
  readonly directory: string;
}

/** One entry of a kubeconfig; its paths are relative to the directory of its file. */
interface Entry {
  readonly name: string;
  readonly directory: string;
  readonly fields: Json;
}

/** One file. */
interface Document {
  readonly directory: string;
  readonly fields: Json;
}

interface Kubeconfig {
  readonly clusters: ReadonlyMap<string, Entry>;
  readonly users: ReadonlyMap<string, Entry>;
  readonly contexts: ReadonlyMap<string, Entry>;
  readonly currentContext: string;
}

const invalid = (message: string, cause?: unknown): CodedError => new CodedError("InvalidSpec", message, { cause });

/**
 * The pod's own service account; its token is renewed on disk.
 *
 * @throws InvalidSpec outside a cluster
 */
export async function inClusterAccess({ server, directory }: InCluster): Promise<KubeAccess> {
  if (server === "")
    throw invalid(
      "there is no API server to talk to: this is not a pod (KUBERNETES_SERVICE_HOST is not set), and no kubeconfig file was given; use --kubeconfig",
    );
  const read = async (name: string): Promise<string> =>
    (await readText(join(directory, name), "the pod's service account")).trim();
  // The namespace is missing where only the token is projected.
  const namespace = await read("namespace").catch(() => "default");
  return {
    server: serverUrl(server),
    namespace: namespace || "default",
    load: async () => {
      const [token, ca] = await Promise.all([read("token"), read("ca.crt")]);
      return { ca, authorization: `Bearer ${token}` };
    },
  };
}

export interface KubeconfigChoice {
  /** The context that counts; undefined: the current one. */
  readonly context?: string | undefined;
  /**
   * Told where the kubeconfig switches the verification of the server's certificate off, which is then done. Without it, such a
   * kubeconfig is refused.
   */
  readonly onUnverified?: ((warning: string) => void) | undefined;
}

/**
 * The current context of a kubeconfig file, or of several, joined as in the KUBECONFIG variable; the first that says
 * something wins. See "Organizing Cluster Access Using kubeconfig Files" in Kubernetes' documentation.
 *
 * @throws InvalidSpec for a file that cannot be used
 */
export async function kubeconfigAccess(
  paths: string,
  { context: wanted, onUnverified }: KubeconfigChoice = {},
): Promise<KubeAccess> {
  const config = await readKubeconfigs(paths.split(delimiter).filter((path) => path !== ""));
  const name = wanted ?? config.currentContext;
  if (name === "")
    throw invalid(`kubeconfig ${paths}: there is no current-context; set one with kubectl config use-context`);
  const context = find(config.contexts, name, "context");
  const cluster = find(config.clusters, text(context, "cluster") ?? "", "cluster");
  const userName = text(context, "user");
  const user = userName === undefined ? undefined : find(config.users, userName, "user");
  const server = serverUrl(text(cluster, "server") ?? "");
  const unverified = cluster.fields["insecure-skip-tls-verify"] === true;
  if (unverified) tellUnverified(cluster, onUnverified);
  const proxy = text(cluster, "proxy-url");
  return {
    server,
    namespace: text(context, "namespace") ?? "default",
    serverName: text(cluster, "tls-server-name"),
    proxy: proxy === undefined ? undefined : proxyUrl(proxy),
    unverified,
    load: materialOf(cluster, user),
  };
}

/** @throws InvalidSpec where nobody is there to be warned */
function tellUnverified({ name }: Entry, onUnverified: KubeconfigChoice["onUnverified"]): void {
  const what = `cluster ${name} has insecure-skip-tls-verify, which lets anybody pose as the API server`;
  if (onUnverified === undefined) throw invalid(`${what}; give certificate-authority-data instead`);
  onUnverified(`${what}: its certificate is not checked; better give certificate-authority-data`);
}

async function readKubeconfigs(paths: readonly string[]): Promise<Kubeconfig> {
  const {
    default: { parse },
  } = await import("yaml");
  const documents: Document[] = [];
  for (const path of paths) {
    const source = await readText(path, "the kubeconfig").catch((error: unknown) => {
      // As kubectl does: of several files, some may be missing.
      if (!isMissing(error)) throw error;
      if (paths.length > 1) return undefined;
      throw invalid(
        `there is no kubeconfig ${path}; name another one by --kubeconfig or KUBECONFIG`,
        (error as Error).cause,
      );
    });
    if (source !== undefined) documents.push({ directory: dirname(path), fields: parseYaml(parse, source, path) });
  }
  return {
    clusters: entriesOf(documents, "clusters", "cluster"),
    users: entriesOf(documents, "users", "user"),
    contexts: entriesOf(documents, "contexts", "context"),
    currentContext:
      documents.flatMap(({ fields }) => fields["current-context"] || []).find((name) => typeof name === "string") ?? "",
  };
}

function parseYaml(parse: (source: string) => unknown, source: string, path: string): Json {
  let document: unknown;
  try {
    document = parse(source);
  } catch {
    // The parser's message quotes the line, which may hold a token.
    throw invalid(`kubeconfig ${path} is not YAML`);
  }
  if (!isObject(document)) throw invalid(`kubeconfig ${path} is empty or no kubeconfig`);
  return document;
}

/** The entries of a section in all files; the first of a name wins. */
function entriesOf(documents: readonly Document[], section: string, kind: string): Map<string, Entry> {
  const entries = documents.flatMap(({ directory, fields }) => {
    const rows: unknown[] = Array.isArray(fields[section]) ? fields[section] : [];
    return rows.filter(isObject).flatMap((row): [string, Entry][] => {
      const { name, [kind]: inner } = row;
      return typeof name === "string" ? [[name, { name, directory, fields: isObject(inner) ? inner : {} }]] : [];
    });
  });
  return new Map(entries.toReversed());
}

function find(entries: ReadonlyMap<string, Entry>, name: string, kind: string): Entry {
  const entry = entries.get(name);
  if (entry === undefined)
    throw invalid(`the kubeconfig has no ${kind} named "${name}"; it has: ${[...entries.keys()].join(", ") || "none"}`);
  return entry;
}

/** A field's value; empty is as good as absent. */
function text({ name, fields }: Entry, field: string): string | undefined {
  const value = fields[field];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw invalid(`${field} of ${name} in the kubeconfig is not a string`);
  return value;
}

const loopback = /^(localhost|127(\.\d+){3}|\[::1\])$/;

function serverUrl(server: string): URL {
  if (!URL.canParse(server)) throw invalid(`the API server's address is "${server}"; write https://host:port`);
  const url = new URL(server);
  if (url.username !== "" || url.password !== "" || url.search !== "")
    throw invalid(`the API server's address on ${url.host} must hold no credentials and no query`);
  if (url.protocol === "https:" || (url.protocol === "http:" && loopback.test(url.hostname))) return url;
  throw invalid(
    `the API server's address is ${url.href}; it must begin with https:// (http:// is for this machine alone, as with kubectl proxy)`,
  );
}

function proxyUrl(proxy: string): URL {
  if (!URL.canParse(proxy)) throw invalid("proxy-url in the kubeconfig is not a URL");
  const url = new URL(proxy);
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw invalid(
      `proxy-url in the kubeconfig begins with ${url.protocol}//; only http:// and https:// proxies are known`,
    );
  return url;
}

function materialOf(cluster: Entry, user: Entry | undefined): (refused: boolean) => Promise<Material> {
  const authority = pem(cluster, "certificate-authority");
  const own = user === undefined ? async () => ({}) : userMaterial(user);
  return async (refused) => {
    const [ca, material] = await Promise.all([authority(), own(refused)]);
    return { ca, ...material };
  };
}

function userMaterial(user: Entry): (refused: boolean) => Promise<Material> {
  const impersonated = ["as", "as-uid", "as-groups", "as-user-extra"].find((field) => user.fields[field] !== undefined);
  if (impersonated !== undefined)
    throw invalid(`user ${user.name} in the kubeconfig has "${impersonated}"; impersonation is not supported`);
  if (isObject(user.fields["exec"]) || isObject(user.fields["auth-provider"])) return pluginMaterial(user);
  const [cert, key] = [pem(user, "client-certificate"), pem(user, "client-key")];
  const authorization = authorizationOf(user);
  return async () => ({ cert: await cert(), key: await key(), authorization: await authorization() });
}

function authorizationOf(user: Entry): () => Promise<string | undefined> {
  const [tokenFile, token] = [text(user, "tokenFile"), text(user, "token")];
  if (tokenFile !== undefined) {
    const path = resolve(user, tokenFile);
    return async () => `Bearer ${(await readText(path, `tokenFile of ${user.name}`)).trim()}`;
  }
  if (token !== undefined) return async () => `Bearer ${token}`;
  const [username, password] = [text(user, "username"), text(user, "password")];
  if (username === undefined) return async () => undefined;
  return async () => `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}`;
}

/** What `<field>-data` holds, or the file that `<field>` names. */
function pem(entry: Entry, field: string): () => Promise<string | undefined> {
  const [data, file] = [text(entry, `${field}-data`), text(entry, field)];
  if (data !== undefined) {
    const decoded = Buffer.from(data, "base64").toString("utf8");
    if (!decoded.includes("-----BEGIN "))
      throw invalid(`${field}-data of ${entry.name} in the kubeconfig is not base64 of PEM`);
    return async () => decoded;
  }
  if (file === undefined) return async () => undefined;
  return () => readText(resolve(entry, file), `${field} of ${entry.name}`);
}

const resolve = ({ directory }: Entry, path: string): string => (isAbsolute(path) ? path : join(directory, path));

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw invalid(`${what} cannot be read: ${messageOf(error)}`, error);
  }
}

const isMissing = (error: unknown): boolean => error instanceof Error && hasErrno(error.cause, "ENOENT");
