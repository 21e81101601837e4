import { randomUUID } from "node:crypto";
import type { Digest } from "../../oci/types.ts";
import { empty, errorReply, type Reply, type Request } from "./reply.ts";
import { digestOf, memoryContent, type RegistryStore } from "./store.ts";

interface Upload {
  readonly repository: string;
  chunks: Buffer[];
  size: number;
  /** Changes with every chunk: a client has to follow the Location it was given last. */
  state: number;
}

export interface UploadOptions {
  /** `OCI-Chunk-Min-Length`; smaller chunks, save the last, are refused. */
  readonly chunkMinBytes: number;
  readonly mounts: boolean;
}

/** distribution-spec v1.1, "Pushing blobs". */
export class Uploads {
  readonly #store: RegistryStore;
  readonly #options: UploadOptions;
  readonly #open = new Map<string, Upload>();

  constructor(store: RegistryStore, options: UploadOptions) {
    this.#store = store;
    this.#options = options;
  }

  async start(request: Request, repository: string): Promise<Reply | undefined> {
    const { searchParams } = request.url;
    const mounted = this.#mount(repository, searchParams.get("mount"), searchParams.get("from"));
    if (mounted) return mounted;
    const id = randomUUID();
    const upload: Upload = { repository, chunks: [], size: 0, state: 0 };
    this.#open.set(id, upload);
    if (searchParams.has("digest")) return await this.#finish(request, id, upload);
    return empty(202, {
      ...this.#where(id, upload),
      "oci-chunk-min-length": String(this.#options.chunkMinBytes),
      range: "0-0",
    });
  }

  async handle(request: Request, repository: string, id: string): Promise<Reply | undefined> {
    const upload = this.#open.get(id);
    if (!upload || upload.repository !== repository) return errorReply(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown");
    if (request.method === "GET") return empty(204, { ...this.#where(id, upload), range: range(upload) });
    if (request.method === "DELETE") {
      this.#open.delete(id);
      return empty(204);
    }
    if (request.url.searchParams.get("state") !== String(upload.state))
      return errorReply(400, "BLOB_UPLOAD_INVALID", "stale location");
    if (request.method === "PUT") return await this.#finish(request, id, upload);
    return await this.#append(request, id, upload);
  }

  async #append(request: Request, id: string, upload: Upload): Promise<Reply | undefined> {
    const stated = /^(\d+)-(\d+)$/.exec(request.headers["content-range"] ?? "");
    if (stated && Number(stated[1]) !== upload.size)
      return { ...errorReply(416, "RANGE_INVALID", "out of order"), headers: { range: range(upload) } };
    const { bytes, complete } = await request.read();
    upload.chunks.push(bytes);
    upload.size += bytes.length;
    if (!complete) return undefined;
    upload.state++;
    return empty(202, { ...this.#where(id, upload), range: range(upload) });
  }

  async #finish(request: Request, id: string, upload: Upload): Promise<Reply | undefined> {
    const { bytes, complete } = await request.read();
    if (!complete) {
      upload.chunks.push(bytes);
      upload.size += bytes.length;
      return undefined;
    }
    const content = Buffer.concat([...upload.chunks, bytes]);
    const digest = request.url.searchParams.get("digest") ?? "";
    this.#open.delete(id);
    const actual = digestOf(content, digest.startsWith("sha512:") ? "sha512" : "sha256");
    if (actual !== digest) return errorReply(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    this.#store.repository(upload.repository).blobs.set(actual, memoryContent(content));
    return created(upload.repository, actual);
  }

  #mount(repository: string, digest: string | null, from: string | null): Reply | undefined {
    if (!digest || !from || !this.#options.mounts) return undefined;
    const content = this.#store.repository(from).blobs.get(digest as Digest);
    if (!content) return undefined;
    this.#store.repository(repository).blobs.set(digest as Digest, content);
    return created(repository, digest);
  }

  #where(id: string, upload: Upload): Record<string, string> {
    return { location: `/v2/${upload.repository}/blobs/uploads/${id}?state=${upload.state}`, "docker-upload-uuid": id };
  }
}

const range = (upload: Upload): string => `0-${Math.max(0, upload.size - 1)}`;

const created = (repository: string, digest: string): Reply =>
  empty(201, { location: `/v2/${repository}/blobs/${digest}`, "docker-content-digest": digest });
