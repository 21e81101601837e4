import type { Readable } from "node:stream";
import { CodedError, codeOf } from "../errors.ts";
import { statusOf } from "../http/failures.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { isTransient } from "./errors.ts";
import { pullStream } from "./pull.ts";
import { contentExists } from "./push.ts";
import { uploadRefusals } from "./refusals.ts";
import { backoffMs, pause, progressBytes } from "./retry.ts";
import type { Session } from "./session.ts";
import type { Headers, HttpResponse } from "./http-message.ts";
import { targetOf } from "./transport.ts";
import { counted } from "../text/count.ts";

/** Smaller requests than this no proxy asks for. */
const leastChunkBytes = 256 * 1024;

/** Opens the content anew, from a byte offset to its end. */
type Open = (offset: number) => Readable;

export interface Upload {
  /** The registry gives another one with each chunk. */
  readonly url: URL;
  /** What the registry has received. */
  readonly offset: number;
}

interface Job {
  readonly session: Session;
  readonly descriptor: Descriptor;
  readonly open: Open;
  readonly signal: AbortSignal;
  /** Larger blobs go in chunks of this size; Infinity where the registry takes none. */
  chunkBytes: number;
  /** The whole in one PATCH and an empty PUT after it, as Docker sends it, where one PUT is refused. */
  isStreamed: boolean;
}

/**
 * Pushes a blob (distribution-spec, "Pushing blobs"): in one request, or in chunks when it is large. After a cut the
 * registry is asked what it has received, and the rest is sent. A registry that refuses one way is tried in another.
 *
 * @throws DigestMismatch when the content is not what the descriptor says, …
 */
export async function pushBlob(
  session: Session,
  descriptor: Descriptor,
  open: Open,
  signal: AbortSignal,
): Promise<void> {
  const { attempts } = session.shared.retry;
  const chunkBytes = session.shared.uploadChunkBytes;
  const job: Job = { session, descriptor, open, signal, chunkBytes, isStreamed: false };
  let at: Upload | "new" | "done" = "new";
  for (let failures = 0, restarts = 0, furthest = 0; at !== "done";) {
    const upload: Upload = at === "new" ? await start(job) : at;
    try {
      at = await sendPart(job, upload);
    } catch (error) {
      if (++failures >= attempts) throw error;
      // Before the registry is asked: what was sent last may still be on its way.
      await pause(backoffMs(session.shared.retry, failures - 1), signal);
      const isLast = failures >= attempts - 1;
      at = await recover(job, upload, { error, isLast });
      // Over the whole push: whoever forgets every upload after its first chunk would have it begun for ever.
      if (at === "new" && ++restarts >= attempts) throw error;
    }
    // Progress is only what no upload had reached before.
    if (typeof at === "object" && at.offset - furthest >= progressBytes) [failures, furthest] = [0, at.offset];
  }
}

async function start(job: Job): Promise<Upload> {
  const { session, signal } = job;
  const response = await session.ask({ method: "POST", path: "blobs/uploads/", needs: "push", accept: [202] }, signal);
  const least = Number(response.header("oci-chunk-min-length") ?? "0");
  if (least > job.chunkBytes) job.chunkBytes = least;
  return { url: locationOf(response), offset: 0 };
}

/**
 * Where an upload goes on.
 * @throws RegistryResponseInvalid where `Location` is missing or not a URL; EndpointRefused
 */
export function locationOf(response: HttpResponse): URL {
  const location = response.header("location");
  if (location === undefined)
    throw new CodedError("RegistryResponseInvalid", `${response.name}: the registry does not say where to upload to`);
  return targetOf(location, response.url, response.name);
}

/** Sends what comes next: a chunk, or the rest together with the digest. */
async function sendPart(job: Job, upload: Upload): Promise<Upload | "done"> {
  const { descriptor, session, signal } = job;
  const left = descriptor.size - upload.offset;
  if (job.isStreamed && left > 0) return await sendPatch(job, upload, { length: left, headers: {} });
  if (left > job.chunkBytes) {
    const length = job.chunkBytes;
    return await sendPatch(job, upload, { length, headers: rangeHeader(upload.offset, length) });
  }
  const headers = { ...lengthHeaders(left), ...(upload.offset > 0 && left > 0 && rangeHeader(upload.offset, left)) };
  const url = withDigest(upload.url, descriptor.digest);
  const request = { method: "PUT", path: url, headers, needs: "push", accept: [201, 204], retry: false } as const;
  await session.ask({ ...request, traffic: "bulk", body: () => part(job, upload.offset, left) }, signal);
  return "done";
}

/** The registry's own query stays as it is, letter for letter: it may be signed. */
export function withDigest(upload: URL, digest: Digest): URL {
  const url = new URL(upload);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** An accepted part is stored, whatever a Range header beside it says: those of ECR and zot stay behind. */
async function sendPatch(
  job: Job,
  upload: Upload,
  { length, headers }: { length: number; headers: Headers },
): Promise<Upload> {
  const request = {
    method: "PATCH",
    path: upload.url,
    needs: "push",
    accept: [201, 202, 204],
    retry: false,
    traffic: "bulk",
    headers: { ...lengthHeaders(length), ...headers },
    body: () => part(job, upload.offset, length),
  } as const;
  const response = await job.session.ask(request, job.signal);
  return { url: nextLocation(response, upload), offset: upload.offset + length };
}

/** Where a registry names no further location, the present one stays good. */
export function nextLocation(response: HttpResponse, upload: Upload): URL {
  return response.header("location") === undefined ? upload.url : locationOf(response);
}

/** The headers of a body of `length` bytes. */
export const lengthHeaders = (length: number): Headers => ({
  "content-type": "application/octet-stream",
  "content-length": String(length),
});

/**
 * `Content-Range` of a chunk (distribution-spec v1.1, "Pushing a blob in chunks"): both ends count, and no unit is
 * named.
 */
export const rangeHeader = (offset: number, length: number): Headers => ({
  "content-range": `${offset}-${offset + length - 1}`,
});

/** `Range: 0-<last>`; undefined where the registry does not say. */
function receivedOf(response: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.header("range") ?? "")?.[1];
  return last === undefined ? undefined : Number(last) + 1;
}

function part(job: Job, offset: number, length: number): Readable {
  let source: Readable | undefined;
  const open = (): Readable => (source = job.open(offset));
  return pullStream(take(open, length), 1, () => source?.destroy());
}

/** Opens the content only when it is asked for: a request that fails before leaves nothing open. */
async function* take(open: () => Readable, length: number): AsyncGenerator<Buffer> {
  let left = length;
  for await (const chunk of open() as AsyncIterable<Buffer>) {
    yield chunk.length > left ? chunk.subarray(0, left) : chunk;
    left -= chunk.length;
    if (left <= 0) return;
  }
  if (left > 0) throw new CodedError("SizeMismatch", `the content to push ends ${counted(left, "byte")} early`);
}

/** Where to go on after `error`: the same upload from what has arrived, or a new one. Errors that will not pass are thrown. */
async function recover(
  job: Job,
  upload: Upload,
  { error, isLast }: { error: unknown; isLast: boolean },
): Promise<Upload | "new" | "done"> {
  const status = statusOf(error);
  // Some break over chunks instead of refusing them, every time.
  if (isLast && status >= 500 && simplify(job)) return "new";
  if (isTransient(error)) return (await received(job, upload)) ?? (await arrived(job));
  const corrected = status === 416 ? await moved(job, upload) : undefined;
  if (corrected) return corrected;
  if (tryOtherwise(job, upload, error) || status === 404) return "new";
  throw error;
}

/** The upload where the registry sees it, if that is elsewhere. */
async function moved(job: Job, upload: Upload): Promise<Upload | undefined> {
  const now = await received(job, upload);
  return now?.offset === upload.offset ? undefined : now;
}

/** Whether there is another way to send the blob, now that this one was refused. */
function tryOtherwise(job: Job, upload: Upload, error: unknown): boolean {
  const status = statusOf(error);
  if (status === 413) return makeSmaller(job);
  // Parts that were put together wrongly are not the content's fault.
  const isRefused = uploadRefusals.includes(status) || (codeOf(error) === "DigestMismatch" && upload.offset > 0);
  return isRefused && simplify(job);
}

/** The next simpler way to send the blob: without chunks, then as one stream. False where none is left. */
function simplify(job: Job): boolean {
  if (job.descriptor.size > job.chunkBytes) job.chunkBytes = Infinity;
  else if (!job.isStreamed && job.descriptor.size > 0) job.isStreamed = true;
  else return false;
  return true;
}

/** A proxy in front of the registry takes only so much in one request. False where chunks are refused or small already. */
function makeSmaller(job: Job): boolean {
  if (job.isStreamed || job.chunkBytes === Infinity || job.chunkBytes <= leastChunkBytes) return false;
  job.chunkBytes = Math.max(leastChunkBytes, Math.floor(Math.min(job.chunkBytes, job.descriptor.size) / 8));
  return true;
}

/** The last answer may have been lost after the registry had everything. */
async function arrived({ session, descriptor, signal }: Job): Promise<"new" | "done"> {
  return (await contentExists(session, descriptor, signal)) ? "done" : "new";
}

/** The upload as the registry knows it; undefined where it does not, or has nothing of it. */
async function received(job: Job, upload: Upload): Promise<Upload | undefined> {
  try {
    const response = await job.session.ask(
      { method: "GET", path: upload.url, needs: "push", accept: [200, 202, 204] },
      job.signal,
    );
    const offset = receivedOf(response) ?? 0;
    // "0-0" means nothing, or one byte: nothing is the safe reading.
    return offset <= 1 || offset > job.descriptor.size ? undefined : { url: nextLocation(response, upload), offset };
  } catch (error) {
    if (job.signal.aborted) throw error;
    return undefined;
  }
}
