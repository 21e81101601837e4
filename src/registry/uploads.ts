import type { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import { statusOf } from "../http/failures.ts";
import type { Descriptor } from "../oci/types.ts";
import { isTransient } from "./errors.ts";
import { pullStream } from "./pull.ts";
import { contentExists } from "./push.ts";
import { backoffMs, pause, progressBytes } from "./retry.ts";
import type { Session } from "./session.ts";
import { type Headers, type HttpResponse, targetOf } from "./transport.ts";

/** Opens the content anew, from a byte offset to its end. */
type Open = (offset: number) => Readable;

interface Upload {
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
  chunkBytes: number;
}

/**
 * Pushes a blob (distribution-spec, "Pushing blobs"): in one request, or in chunks when it is large. After a cut the
 * registry is asked what it has received, and the rest is sent.
 *
 * @throws DigestMismatch when the content is not what the descriptor says, …
 */
export async function pushBlob(
  session: Session,
  descriptor: Descriptor,
  open: Open,
  signal: AbortSignal,
): Promise<void> {
  const job: Job = { session, descriptor, open, signal, chunkBytes: session.shared.uploadChunkBytes };
  const { attempts } = session.shared.retry;
  let at: Upload | "new" | "done" = "new";
  for (let failures = 0, progressAt = 0; at !== "done";) {
    const upload: Upload = at === "new" ? await start(job) : at;
    try {
      at = await sendPart(job, upload);
      failures = 0;
    } catch (error) {
      if (++failures >= attempts) throw error;
      // Before the registry is asked: what was sent last may still be on its way.
      await pause(backoffMs(session.shared.retry, failures - 1), signal);
      at = await recover(job, upload, error);
      if (typeof at === "object" && at.offset - progressAt >= progressBytes) [failures, progressAt] = [0, at.offset];
    }
  }
}

async function start(job: Job): Promise<Upload> {
  const { session, signal } = job;
  const response = await session.ask({ method: "POST", path: "blobs/uploads/", needs: "push", accept: [202] }, signal);
  const least = Number(response.header("oci-chunk-min-length") ?? "0");
  if (least > job.chunkBytes) job.chunkBytes = least;
  return { url: locationOf(response), offset: 0 };
}

function locationOf(response: HttpResponse): URL {
  const location = response.header("location");
  if (location === undefined)
    throw new CodedError("RegistryResponseInvalid", `${response.name}: the registry does not say where to upload to`);
  return targetOf(location, response.url, response.name);
}

/** Sends what comes next: a chunk, or the rest together with the digest. */
async function sendPart(job: Job, upload: Upload): Promise<Upload | "done"> {
  const { descriptor, session, signal } = job;
  const left = descriptor.size - upload.offset;
  if (left > job.chunkBytes) return await sendChunk(job, upload);
  const url = new URL(upload.url);
  url.searchParams.set("digest", descriptor.digest);
  const headers = { ...lengthHeaders(left), ...(upload.offset > 0 && left > 0 && rangeHeader(upload.offset, left)) };
  const request = { method: "PUT", path: url, headers, needs: "push", accept: [201, 204], retry: false } as const;
  await session.ask({ ...request, traffic: "bulk", body: () => part(job, upload.offset, left) }, signal);
  return "done";
}

async function sendChunk(job: Job, upload: Upload): Promise<Upload> {
  const request = {
    method: "PATCH",
    path: upload.url,
    needs: "push",
    accept: [201, 202, 204],
    retry: false,
    traffic: "bulk",
  } as const;
  const headers = { ...lengthHeaders(job.chunkBytes), ...rangeHeader(upload.offset, job.chunkBytes) };
  const response = await job.session.ask(
    { ...request, headers, body: () => part(job, upload.offset, job.chunkBytes) },
    job.signal,
  );
  return { url: locationOf(response), offset: receivedOf(response) ?? upload.offset + job.chunkBytes };
}

const lengthHeaders = (length: number): Headers => ({
  "content-type": "application/octet-stream",
  "content-length": String(length),
});

const rangeHeader = (offset: number, length: number): Headers => ({
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
  if (left > 0) throw new CodedError("SizeMismatch", `the content to push ends ${left} bytes early`);
}

/** Where to go on after `error`: the same upload from what has arrived, or a new one. Errors that will not pass are thrown. */
async function recover(job: Job, upload: Upload, error: unknown): Promise<Upload | "new" | "done"> {
  const status = statusOf(error);
  const firstChunk = upload.offset === 0 && job.descriptor.size > job.chunkBytes;
  // Not every registry takes chunks; in one request it is, then.
  if (firstChunk && [400, 404, 405, 416, 501].includes(status)) job.chunkBytes = Infinity;
  else if (isTransient(error)) return (await received(job, upload)) ?? (await arrived(job));
  else if (status === 416) return (await corrected(job, upload)) ?? "new";
  else if (status !== 404) throw error;
  return "new";
}

/** More had arrived before a cut than the registry knew when it was asked. */
async function corrected(job: Job, upload: Upload): Promise<Upload | undefined> {
  const now = await received(job, upload);
  return now?.offset === upload.offset ? undefined : now;
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
    return offset <= 1 || offset > job.descriptor.size ? undefined : { url: locationOf(response), offset };
  } catch (error) {
    if (job.signal.aborted) throw error;
    return undefined;
  }
}
