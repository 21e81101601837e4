import type { Action, Auth } from "./auth.ts";
import { empty, errorReply, json, type Reply, type Request } from "./reply.ts";
import { digestOf, memoryContent, type RegistryStore } from "./store.ts";
import type { Uploads } from "./uploads.ts";
import type { Digest } from "../../oci/types.ts";

export interface Routes {
  readonly store: RegistryStore;
  readonly uploads: Uploads;
  readonly auth: Auth | undefined;
  readonly options: RouteOptions;
}

export interface RouteOptions {
  /** The referrers API; off: 404, as older registries answer. */
  readonly referrers: boolean;
  /** Whether the referrers API filters by artifactType. */
  readonly filtersReferrers: boolean;
  readonly deletes: boolean;
  /** What `If-Match` and `If-None-Match` of a PUT are to it; the specification knows neither. */
  readonly preconditions: "honoured" | "ignored" | "refused";
  /** Ranges of blobs; off: the whole blob is sent again. */
  readonly ranges: boolean;
  /** Most tags (and referrers) on a page. */
  readonly pageSize: number;
  /** Blobs are answered by a redirect to this URL, as a CDN's signed ones are. */
  readonly redirectBlob: ((repository: string, digest: string) => string) | undefined;
}

/** Answers one request; undefined where the connection is gone. */
export async function route(request: Request, routes: Routes): Promise<Reply | undefined> {
  const { pathname } = request.url;
  if (pathname === "/token" || pathname === "/v2/") return await fixedRoute(pathname, request, routes.auth);
  const match = /^\/v2\/(.+?)\/(manifests|blobs|referrers|tags|blobs\/uploads)\/([^/]*)$/.exec(pathname);
  if (!match) return errorReply(404, "NOT_FOUND", "no such route");
  const [, repository = "", kind = "", last = ""] = match;
  const refused = routes.auth?.check(request, needs(request, repository));
  if (!refused) return await dispatch(request, routes, { repository, kind, last: decodeURIComponent(last) });
  await request.read();
  return refused;
}

async function fixedRoute(pathname: "/token" | "/v2/", request: Request, auth: Auth | undefined): Promise<Reply> {
  if (pathname === "/v2/") return auth?.checkVersion(request) ?? json(200, {});
  return (await auth?.token(request)) ?? errorReply(404, "NOT_FOUND", "no token endpoint");
}

function needs(request: Request, repository: string): { repository: string; action: Action }[] {
  if (request.method === "GET" || request.method === "HEAD") return [{ repository, action: "pull" }];
  if (request.method === "DELETE") return [{ repository, action: "delete" }];
  const from = request.url.searchParams.get("from");
  const write = [
    { repository, action: "pull" },
    { repository, action: "push" },
  ] as const;
  return from ? [...write, { repository: from, action: "pull" }] : [...write];
}

interface Target {
  readonly repository: string;
  readonly kind: string;
  readonly last: string;
}

async function dispatch(request: Request, routes: Routes, target: Target): Promise<Reply | undefined> {
  const { repository, last } = target;
  const reads = request.method === "GET" || request.method === "HEAD";
  switch (target.kind) {
    case "manifests":
      if (request.method === "DELETE") return deleteManifest(routes, target);
      return reads ? getManifest(routes, target) : await putManifest(request, routes, target);
    case "blobs/uploads":
      return await (last === ""
        ? routes.uploads.start(request, repository)
        : routes.uploads.handle(request, repository, last));
    case "blobs":
      return getBlob(request, routes, target);
    case "referrers":
      return referrers(request, routes, target);
    default:
      return tags(request, routes, repository);
  }
}

function getManifest({ store }: Routes, { repository, last }: Target): Reply {
  const found = store.manifest(repository, last);
  if (!found) return errorReply(404, "MANIFEST_UNKNOWN", "manifest unknown");
  const { mediaType, bytes } = found.stored;
  const headers = { "content-type": mediaType, "docker-content-digest": found.digest, etag: `"${found.digest}"` };
  return { status: 200, headers, content: memoryContent(bytes) };
}

function deleteManifest({ store, options }: Routes, { repository, last }: Target): Reply {
  const { manifests, tags } = store.repository(repository);
  if (!options.deletes) return errorReply(405, "UNSUPPORTED", "deletes are off");
  if (!manifests.delete(last as Digest)) return errorReply(404, "MANIFEST_UNKNOWN", "manifest unknown");
  for (const [tag, digest] of tags) if (digest === last) tags.delete(tag);
  return empty(202);
}

async function putManifest(request: Request, routes: Routes, { repository, last }: Target): Promise<Reply | undefined> {
  const { manifests, tags } = routes.store.repository(repository);
  const { bytes, complete } = await request.read();
  if (!complete) return undefined;
  if (!holds(request.headers, routes.options.preconditions, tags.get(last)))
    return errorReply(412, "DENIED", "precondition failed");
  const digest = digestOf(bytes, last.startsWith("sha512:") ? "sha512" : "sha256");
  if (last.includes(":") && last !== digest) return errorReply(400, "DIGEST_INVALID", "digest does not match");
  const missing = missingBlob(routes.store, repository, bytes);
  if (missing) return errorReply(400, "MANIFEST_BLOB_UNKNOWN", `blob unknown to registry: ${missing}`);
  manifests.set(digest, { mediaType: request.headers["content-type"] ?? "", bytes });
  if (!last.includes(":")) tags.set(last, digest);
  return accepted(routes.options, repository, digest, bytes);
}

function accepted({ referrers }: RouteOptions, repository: string, digest: Digest, bytes: Buffer): Reply {
  const { subject } = JSON.parse(bytes.toString("utf8")) as { subject?: { digest: string } };
  return empty(201, {
    location: `/v2/${repository}/manifests/${digest}`,
    "docker-content-digest": digest,
    "oci-subject": referrers ? subject?.digest : undefined,
  });
}

function holds(headers: Request["headers"], how: RouteOptions["preconditions"], now: string | undefined): boolean {
  const { "if-match": match, "if-none-match": none } = headers;
  if (how === "honoured") return (match === undefined || match === `"${now}"`) && (none !== "*" || now === undefined);
  return how === "ignored" || (match ?? none) === undefined;
}

function missingBlob(store: RegistryStore, repository: string, bytes: Buffer): string | undefined {
  const { config, layers = [] } = JSON.parse(bytes.toString("utf8")) as {
    config?: { digest: Digest };
    layers?: { digest: Digest }[];
  };
  return [...(config ? [config] : []), ...layers].find(({ digest }) => !store.repository(repository).blobs.has(digest))
    ?.digest;
}

function getBlob(request: Request, { store, options }: Routes, { repository, last }: Target): Reply {
  const content = store.repository(repository).blobs.get(last as Digest);
  if (!content) return errorReply(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if (options.redirectBlob && request.method === "GET")
    return empty(307, { location: options.redirectBlob(repository, last) });
  const etag = `"${last}"`;
  const headers = { "content-type": "application/octet-stream", "docker-content-digest": last, etag };
  const asked = options.ranges ? askedRange(request.headers, etag) : undefined;
  if (!asked) return { status: 200, headers, content };
  const [start] = asked;
  const end = Math.min(asked[1], content.size);
  if (start >= content.size)
    return {
      ...errorReply(416, "RANGE_INVALID", "past the end"),
      headers: { "content-range": `bytes */${content.size}` },
    };
  const ranged = { ...headers, "content-range": `bytes ${start}-${end - 1}/${content.size}` };
  return { status: 206, headers: ranged, content, range: [start, end] };
}

/** RFC 9110, 14.1.2 and 13.1.5: one byte range, unless If-Range names another version. */
function askedRange(headers: Request["headers"], etag: string): [start: number, end: number] | undefined {
  const asked = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
  if (!asked || (headers["if-range"] ?? etag) !== etag) return undefined;
  return [Number(asked[1]), asked[2] ? Number(asked[2]) + 1 : Infinity];
}

function tags(request: Request, { store, options }: Routes, repository: string): Reply {
  if (!store.knows(repository)) return errorReply(404, "NAME_UNKNOWN", "repository name not known to registry");
  const all = [...store.repository(repository).tags.keys()].sort();
  const last = request.url.searchParams.get("last");
  const asked = Number(request.url.searchParams.get("n") ?? options.pageSize);
  const from = last === null ? 0 : all.findIndex((tag) => tag > last);
  const page = from < 0 ? [] : all.slice(from, from + Math.min(asked, options.pageSize));
  const more = from >= 0 && from + page.length < all.length;
  const next = `/v2/${repository}/tags/list?last=${encodeURIComponent(page.at(-1) ?? "")}&n=${asked}`;
  return json(200, { name: repository, tags: page }, more ? { link: `<${next}>; rel="next"` } : {});
}

function referrers(request: Request, { store, options }: Routes, { repository, last }: Target): Reply {
  if (!options.referrers) return errorReply(404, "NOT_FOUND", "404 page not found");
  const wanted = options.filtersReferrers ? request.url.searchParams.get("artifactType") : null;
  const all = store.referrers(repository, last).filter((found) => wanted === null || found.artifactType === wanted);
  const from = Number(request.url.searchParams.get("from") ?? 0);
  const manifests = all.slice(from, from + options.pageSize);
  const query = new URLSearchParams({
    ...(wanted !== null && { artifactType: wanted }),
    from: String(from + manifests.length),
  });
  const more = from + manifests.length < all.length;
  const link = { link: `</v2/${repository}/referrers/${last}?${query.toString()}>; rel="next"` };
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const applied = wanted === null ? {} : { "oci-filters-applied": "artifactType" };
  return json(
    200,
    { schemaVersion: 2, mediaType, manifests },
    { "content-type": mediaType, ...applied, ...(more ? link : {}) },
  );
}
