import type { IncomingHttpHeaders } from "node:http";
import type { RegistryOptions, TestRegistry } from "../registry.ts";
import type { Fault, Guard } from "../faults.ts";

/** What a registry can do, as docs/registries.md shows it. */
export interface Capabilities {
  readonly auth: "Bearer" | "Basic";
  /** `hint`: there, and not to be believed. */
  readonly head: "yes" | "hint" | "refused";
  /** `none`: neither the API nor a fallback tag that brings a list. */
  readonly referrers: "API" | "fallback tag" | "API, wrong sizes" | "none";
  readonly chunks: "yes" | "refused" | "Range stuck" | "size limit";
  readonly tags: "Link" | "Link, broken" | "opaque token" | "page size refused";
  readonly deletes: "yes" | "no";
}

export interface Quirk {
  readonly what: string;
  /** The public report or document that it is modelled from. */
  readonly report: string;
}

/** One vendor's registry as people meet it, over the registry of this process. */
export interface Vendor {
  readonly name: string;
  /** `server`: the end-to-end tests run against the real one as well. */
  readonly knownBy: "server" | "report";
  readonly can: Capabilities;
  readonly quirks: readonly Quirk[];
  readonly options?: Omit<RegistryOptions, "auth">;
  readonly guard?: (registry: TestRegistry) => Guard;
}

/** What most do. */
export const usual: Capabilities = {
  auth: "Bearer",
  head: "yes",
  referrers: "API",
  chunks: "yes",
  tags: "Link",
  deletes: "yes",
};

export const pathOf = (url: string): string => url.split("?", 1)[0] ?? "";

export const isWrite = (method: string): boolean => method !== "GET" && method !== "HEAD";

/** The referrers API where every entry states a size of its own. Answers nothing to who has no token. */
export function missizedReferrers({ auth, store }: TestRegistry, sizeOf: (size: number) => number): Guard {
  return ({ url, headers }) => {
    const [, repository = "", digest = ""] = /^\/v2\/(.+)\/referrers\/(sha256:\w+)$/.exec(pathOf(url)) ?? [];
    if (digest === "" || !auth?.issued.has(tokenOf(headers))) return undefined;
    const manifests = store
      .referrers(repository, digest)
      .map((entry) => Object.assign({}, entry, { size: sizeOf(entry.size) }));
    return { status: 200, body: JSON.stringify({ schemaVersion: 2, manifests }) };
  };
}

/** The token of a request; "" where it has none. */
export const tokenOf = ({ authorization = "" }: IncomingHttpHeaders): string => authorization.replace("Bearer ", "");

/** Whether a request writes with a token that allows reading alone. */
export function isTooNarrow({ auth }: TestRegistry, { method, headers }: Parameters<Guard>[0]): boolean {
  const token = auth?.issued.get(tokenOf(headers));
  return isWrite(method) && token !== undefined && !token.scopes.some((scope) => scope.endsWith(":push"));
}

/** The first request of each path is answered so. */
export function once(matches: (method: string, path: string) => boolean, fault: Fault): Guard {
  const seen = new Set<string>();
  return ({ method, url }) => {
    const path = pathOf(url);
    if (!matches(method, path) || seen.has(`${method} ${path}`)) return undefined;
    seen.add(`${method} ${path}`);
    return fault;
  };
}
