import { CodedError, messageOf } from "../errors.ts";
import { printable } from "../text/printable.ts";
import type { Credential, CredentialTarget } from "./provider.ts";
import { isObject, type Json, parseJsonObject } from "../text/json.ts";

/** One entry of `auths`: which repositories it is for, and what is shown to them. */
export interface DockerAuth {
  /** Canonical host with its port; each label may hold `*`, as the kubelet allows. */
  readonly host: string;
  /** `team/app`; empty for every repository of the host. */
  readonly path: string;
  /** Undefined for an entry that names a host and no credentials: anonymous access. */
  readonly credential: Credential | undefined;
  /** Where it stands, for messages: `Secret apps/regcred, key .dockerconfigjson`. */
  readonly source: string;
  /** The entry as it is written, for messages. */
  readonly entry: string;
}

/** The parts of Docker's config.json that concern credentials. */
export interface DockerConfig {
  readonly auths: readonly DockerAuth[];
  /** Credential helper by host, canonical. */
  readonly credHelpers: ReadonlyMap<string, string>;
  readonly credsStore: string | undefined;
}

const maxConfigBytes = 1024 * 1024;
const maxShownEntries = 10;

/**
 * Parses a Docker configuration (`.dockerconfigjson`, `~/.docker/config.json`).
 *
 * @param name what is shown in messages, such as `Secret apps/regcred, key .dockerconfigjson`; never the content
 * @throws SecretInvalid
 */
export function parseDockerConfig(bytes: Uint8Array, name: string): DockerConfig {
  const body = parseJson(bytes, name);
  const helpers = body["credHelpers"];
  const store = body["credsStore"];
  return {
    auths: authsOf(body["auths"], name),
    credHelpers: new Map(
      Object.entries(isObject(helpers) ? helpers : {}).flatMap(([host, helper]) =>
        typeof helper === "string" && helper !== "" ? [[parseKey(host).host, helper] as const] : [],
      ),
    ),
    credsStore: typeof store === "string" && store !== "" ? store : undefined,
  };
}

/**
 * Parses the older form without `auths` (`.dockercfg`).
 * @throws SecretInvalid
 */
export function parseDockerCfg(bytes: Uint8Array, name: string): readonly DockerAuth[] {
  return authsOf(parseJson(bytes, name), name);
}

/**
 * The credentials for a repository: the entry with the longest path wins, then the one that spells its host out, then
 * the first.
 *
 * @returns undefined for anonymous access
 */
export function findCredential(auths: readonly DockerAuth[], target: CredentialTarget): Credential | undefined {
  return findAuth(auths, target)?.credential;
}

/** A clause for messages: which entry the credentials for `target` are in, or which ones there are instead. */
export function explainAuths(auths: readonly DockerAuth[], target: CredentialTarget): string {
  const found = findAuth(auths, target);
  if (found !== undefined) {
    const where = `${found.source}, entry "${found.entry}"`;
    return found.credential === undefined
      ? `no credentials were shown: ${where} holds none`
      : `the credentials shown are those of ${where}`;
  }
  const shownEntries = auths.slice(0, maxShownEntries).map(({ entry }) => `"${entry}"`);
  const more = auths.length > maxShownEntries ? ` and ${auths.length - maxShownEntries} more` : "";
  const there = auths.length === 0 ? "no entries" : `entries for ${shownEntries.join(", ")}${more}`;
  const sources = [...new Set(auths.map(({ source }) => source))].join(" and ") || "what is named";
  return `no credentials were shown: ${sources} has ${there}, and none for "${target.registry}"`;
}

/** The entry that is for a repository, also where it holds no credentials. */
export function findAuth(auths: readonly DockerAuth[], target: CredentialTarget): DockerAuth | undefined {
  const host = canonicalHost(target.registry);
  const matches = auths.filter((auth) => hostMatches(auth.host, host) && pathMatches(auth.path, target.repository));
  const exactness = (auth: DockerAuth): number => (auth.host.includes("*") ? 0 : 1);
  return matches.toSorted((a, b) => b.path.length - a.path.length || exactness(b) - exactness(a))[0];
}

/** Docker Hub goes by several names; Docker's own configuration files use the second. */
const dockerHub = new Set(["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"]);

/** The one name under which a host is compared: lower case, without the port that https implies. */
export function canonicalHost(host: string): string {
  const plain = host.toLowerCase().replace(/:443$/, "");
  return dockerHub.has(plain) ? "docker.io" : plain;
}

/** `https://index.docker.io/v1/`, `registry.example:5000`, `registry.example/team/app` → host and path. */
function parseKey(key: string): { host: string; path: string } {
  const bare = key.trim().replace(/^https?:\/\//i, "");
  const slash = bare.indexOf("/");
  const host = slash < 0 ? bare : bare.slice(0, slash);
  const path = slash < 0 ? "" : bare.slice(slash + 1);
  return { host: canonicalHost(host), path: path.replace(/^v[12](\/|$)/, "").replace(/^\/+|\/+$/g, "") };
}

function hostMatches(pattern: string, host: string): boolean {
  if (!pattern.includes("*")) return pattern === host;
  const patterns = pattern.split(".");
  const labels = host.split(".");
  return patterns.length === labels.length && patterns.every((glob, at) => labelMatches(glob, labels[at] ?? ""));
}

function labelMatches(glob: string, label: string): boolean {
  const [first = "", ...rest] = glob.split("*");
  const last = rest.pop();
  if (last === undefined) return glob === label;
  if (label.length < first.length + last.length || !label.startsWith(first) || !label.endsWith(last)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = label.indexOf(part, at);
    if (found < 0 || found + part.length > label.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

/** By whole path segments, so that `team` is not shown to `team-of-others`. */
function pathMatches(path: string, repository: string): boolean {
  return path === "" || repository === path || repository.startsWith(`${path}/`);
}

function authsOf(value: unknown, name: string): DockerAuth[] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) throw invalid(name, "auths is not a map of registries");
  return Object.entries(value).map(([key, entry]) => {
    if (!isObject(entry)) throw invalid(name, `the entry of "${shown(key)}" is not a map`);
    const { host, path } = parseKey(key);
    return {
      host,
      path,
      source: name,
      entry: shown(key),
      credential: credentialOf(entry, () =>
        invalid(name, `the auth of "${shown(key)}" is not the base64 of user:password`),
      ),
    };
  });
}

function credentialOf(entry: Json, badAuth: () => CodedError): Credential | undefined {
  const text = (key: string): string => {
    // Go's decoder, which everyone writes for, takes keys in any case.
    const found = Object.keys(entry).find((candidate) => candidate.toLowerCase() === key);
    const value = found === undefined ? undefined : entry[found];
    return typeof value === "string" ? value : "";
  };
  if (text("registrytoken") !== "") return { kind: "bearer", token: text("registrytoken") };
  if (text("identitytoken") !== "") return { kind: "identityToken", token: text("identitytoken") };
  if (text("auth") !== "") return decodeAuth(text("auth"), badAuth);
  return basicOf(text("username"), text("password"));
}

/** Tools write ":" for an anonymous login; empty is empty, as in the two fields. */
function decodeAuth(auth: string, badAuth: () => CodedError): Credential | undefined {
  const compact = auth.replace(/\s+/g, "");
  const decoded = Buffer.from(compact, "base64");
  // Buffer skips what is not base64; the length shows whether it did.
  const wellFormed = /^[A-Za-z0-9+/_-]*={0,2}$/.test(compact);
  const plain = decoded.toString("utf8").replace(/\0+$/, "");
  const colon = plain.indexOf(":");
  if (!wellFormed || colon < 0) throw badAuth();
  return basicOf(plain.slice(0, colon), plain.slice(colon + 1));
}

const basicOf = (username: string, password: string): Credential | undefined =>
  username === "" && password === "" ? undefined : { kind: "basic", username, password };

function parseJson(bytes: Uint8Array, name: string): Json {
  if (bytes.length > maxConfigBytes) throw invalid(name, `is ${bytes.length} bytes, more than ${maxConfigBytes}`);
  try {
    return parseJsonObject(bytes);
  } catch (error) {
    throw invalid(name, messageOf(error));
  }
}

/** A key may carry credentials of its own, `https://user:password@host`. */
const shown = (key: string): string => printable(key.replace(/\/\/[^/]*@/, "//***@"), 120);

function invalid(name: string, problem: string): CodedError {
  return new CodedError(
    "SecretInvalid",
    `${name}: ${problem}; make it with "kubectl create secret docker-registry" or "docker login"`,
  );
}
