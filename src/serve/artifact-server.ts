import type { ServerResponse } from "node:http";
import { join } from "node:path";
import {
  artifactFile,
  digestOfFile,
  latestName,
  parseArtifactPath,
  type ArtifactPath,
} from "../store/artifact-path.ts";
import { findDirectory } from "../store/durable.ts";
import type { Handler } from "./listen.ts";
import { parseRequestTarget } from "./request-target.ts";
import { fileContent, sendContent, type Content, type NamedFile } from "./send-content.ts";
import { readState } from "../store/state.ts";

export interface ArtifactServerOptions {
  /** Root of the storage. */
  readonly root: string;
  /** False where this process may hold stale files: what it does not have, and what is the latest, is answered with 503 then. */
  readonly ready: () => boolean;
  /** Told of an artifact that is asked for, and is not there or not of its size. */
  readonly onMissing?: ((path: ArtifactPath) => void) | undefined;
}

/**
 * Serves the stored artifacts to Flux's controllers: `/<kind>/<namespace>/<name>/<file>`, where `latest.tar.gz` is the current
 * one. Reads the disk at each request, so every process with the storage can serve. Lists nothing.
 */
export function artifactHandler(options: ArtifactServerOptions): Handler {
  const { onMissing: missed = () => undefined } = options;
  return async (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD")
      return refuse(response, 405, "only GET and HEAD", { allow: "GET, HEAD" });
    const isReady = options.ready();
    const path = parseArtifactPath(parseRequestTarget(request.url ?? "")?.path ?? "");
    const content = path && (await openArtifact(options.root, path, isReady));
    if (content !== undefined) return await sendContent(request, response, content);
    if (path !== undefined) missed(path);
    if (isReady) return refuse(response, 404, "no such artifact");
    refuse(response, 503, "not serving: another replica does, or the storage is not checked yet", {
      "retry-after": "5",
    });
  };
}

/** A file that is named by its digest is never out of date: it is served also while no API server says who leads. */
async function openArtifact(
  root: string,
  { directory, file }: ArtifactPath,
  isReady: boolean,
): Promise<Content | undefined> {
  if (!isReady && file === latestName) return undefined;
  const absolute = await findDirectory(root, directory);
  if (absolute === undefined) return undefined;
  if (file !== latestName) return await openNamed(absolute, file);
  // Between reading the state and opening the file both may have been replaced, hence twice.
  return (await openLatest(absolute)) ?? (await openLatest(absolute));
}

/** What the storage knows nothing of any more is served by its name alone. */
async function openNamed(directory: string, file: string): Promise<Content | undefined> {
  const state = await readState(directory);
  const digest = digestOfFile(file);
  const record = state && [state.current, ...state.superseded].find((one) => one.digest === digest);
  return await openFile(directory, { digest, size: record?.size }, {});
}

async function openLatest(directory: string): Promise<Content | undefined> {
  const state = await readState(directory);
  return state && (await openFile(directory, state.current, { "cache-control": "no-cache" }));
}

function openFile(
  directory: string,
  { digest, size }: Omit<NamedFile, "path">,
  headers: Readonly<Record<string, string>>,
): Promise<Content | undefined> {
  const path = join(directory, artifactFile(digest));
  return fileContent({ path, digest, size }, { "content-type": "application/gzip", ...headers });
}

function refuse(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${text}\n`;
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    "x-content-type-options": "nosniff",
    ...headers,
  });
  response.end(body);
}
