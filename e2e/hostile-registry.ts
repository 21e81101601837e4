import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listenOnLoopback } from "./loopback.ts";
import type { Workspace } from "./workspace.ts";

/** A registry whose repositories `<behaviour>/<anything>` wear a client down; those below `good` are as they should be. */
export interface HostileRegistry {
  readonly host: string;
  /** Requests so far whose path matches. */
  count(path: RegExp): number;
}

export const largeBytes = 300 * 1024 * 1024;
const largeBytesPerSecond = 15 * 1024 * 1024;
const tokenPath = "/token";
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const layerType = "application/octet-stream";

const sha256 = (bytes: Uint8Array | string): string => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const emptyConfig = Buffer.from("{}");
const block = Buffer.alloc(1024 * 1024, "large");

function largeDigest(): string {
  const hash = createHash("sha256");
  for (let at = 0; at < largeBytes; at += block.length) hash.update(block);
  return `sha256:${hash.digest("hex")}`;
}

/** The 40 kB of a repository. */
function contentOf(repository: string): Buffer {
  return Buffer.alloc(40_000, sha256(repository));
}

interface Call {
  readonly behaviour: string;
  readonly repository: string;
  /** `manifests`, `blobs` or `tags`. */
  readonly what: string;
  readonly reference: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

export async function startHostileRegistry(workspace: Workspace): Promise<HostileRegistry> {
  const paths: string[] = [];
  const line = new SharedLine(largeBytesPerSecond);
  const large = largeDigest();
  const server = createServer((request, response) => {
    const path = (request.url ?? "").split("?", 1)[0]!;
    paths.push(`${request.method} ${path}`);
    const [, repository = "", what = "", reference = ""] =
      /^\/v2\/(.+?)\/(manifests|blobs|tags)\/(.*)$/.exec(path) ?? [];
    const behaviour = path === tokenPath ? "hang" : repository.split("/")[0]!;
    answer({ behaviour, repository, what, reference, request, response }, { line, large });
  });
  const host = await listenOnLoopback(workspace, server);
  return { host, count: (path) => paths.filter((entry) => path.test(entry)).length };
}

function answer(call: Call, parts: { readonly line: SharedLine; readonly large: string }): void {
  const { behaviour, what, response } = call;
  if (behaviour === "hang" || (behaviour === "hang-tags" && what === "tags")) return;
  if (behaviour === "hang-tokens") {
    const realm = `http://${call.request.headers.host}${tokenPath}`;
    response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="hostile"` }).end();
  } else if (behaviour === "refuse") response.writeHead(503, { "retry-after": "0" }).end();
  else if (behaviour === "sink") sink(call);
  else if (what === "manifests") sendManifest(call, parts.large);
  else if (what === "blobs") sendBlob(call, parts.line);
  else response.writeHead(404).end();
}

/** Takes no upload. */
function sink({ request, response, repository, reference }: Call): void {
  if (request.method === "POST") response.writeHead(202, { location: `/v2/${repository}/blobs/uploads/1` }).end();
  else if (request.method === "HEAD") response.writeHead(404).end();
  else if (reference.startsWith("uploads/")) request.pause();
  else response.writeHead(404).end();
}

function sendManifest({ behaviour, repository, request, response }: Call, large: string): void {
  const content = contentOf(repository);
  const layer =
    behaviour === "large" ? { digest: large, size: largeBytes } : { digest: sha256(content), size: content.length };
  const manifest = {
    schemaVersion: 2,
    mediaType: manifestType,
    artifactType: "application/vnd.example.data",
    config: { mediaType: "application/vnd.oci.empty.v1+json", digest: sha256(emptyConfig), size: emptyConfig.length },
    layers: [{ mediaType: layerType, ...layer, annotations: { "org.opencontainers.image.title": "data.bin" } }],
    annotations: { repository },
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  response.writeHead(200, {
    "content-type": manifestType,
    "content-length": bytes.length,
    "docker-content-digest": sha256(bytes),
  });
  if (request.method === "HEAD") response.end();
  else if (behaviour === "drip-manifest") drip(response, bytes);
  else response.end(bytes);
}

function sendBlob({ behaviour, repository, reference, response }: Call, line: SharedLine): void {
  const content = reference === sha256(emptyConfig) ? emptyConfig : contentOf(repository);
  response.writeHead(200, {
    "content-type": layerType,
    "content-length": behaviour === "large" ? largeBytes : content.length,
  });
  if (behaviour === "large") line.send(response, largeBytes);
  else if (behaviour === "drip-blob") drip(response, content);
  else response.end(content);
}

/** 50 bytes a second. */
function drip(response: ServerResponse, bytes: Buffer): void {
  let at = 0;
  const timer = setInterval(() => response.write(bytes.subarray(at, (at += 10))), 200);
  response.on("close", () => clearInterval(timer));
}

/** A line of so many bytes a second, which all transfers share. */
class SharedLine {
  readonly #bytesPerTick: number;
  readonly #open = new Map<ServerResponse, number>();

  constructor(bytesPerSecond: number) {
    this.#bytesPerTick = bytesPerSecond / 20;
    setInterval(() => this.#tick(), 50).unref();
  }

  send(response: ServerResponse, bytes: number): void {
    this.#open.set(response, bytes);
    response.on("close", () => this.#open.delete(response));
  }

  #tick(): void {
    const share = Math.floor(this.#bytesPerTick / Math.max(1, this.#open.size));
    for (const [response, left] of this.#open) {
      const size = Math.min(share, left, block.length);
      const from = (largeBytes - left) % block.length;
      response.write(block.subarray(from, Math.min(from + size, block.length)));
      const sent = Math.min(size, block.length - from);
      this.#open.set(response, left - sent);
      if (left - sent > 0) continue;
      this.#open.delete(response);
      response.end();
    }
  }
}
