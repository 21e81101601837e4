import { randomBytes } from "node:crypto";
import { CodedError } from "../errors.ts";
import { statusOf } from "../http/failures.ts";
import { sha256Of } from "../oci/digest.ts";
import { ociManifestType } from "../oci/media-types.ts";
import type { Descriptor } from "../oci/types.ts";
import { mountBlob, putManifest } from "../registry/push.ts";
import type { Session } from "../registry/session.ts";
import { lengthHeaders, locationOf, nextLocation, rangeHeader, withDigest } from "../registry/uploads.ts";
import { answer, type Answer, check, type Check, shown } from "./check.ts";

const chunkBytes = 1024;
/** What a registry may ask for at least in a chunk, for this to be tried. */
const maxChunkBytes = 8 * 1024 * 1024;
/** Tidying up goes on after an interruption. */
const tidyMs = 20_000;
const accepted = [200, 202, 204];

interface Content {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

/** Bytes that nobody has had before: what is deleted afterwards belongs to nobody else. */
function content(bytes: Buffer, mediaType = "application/octet-stream"): Content {
  return { bytes, descriptor: { mediaType, digest: sha256Of(bytes), size: bytes.length } };
}

/** Uploads, a mount and a manifest under `tag`; whatever was pushed is removed where the registry can. */
export async function askWrites(session: Session, tag: string, signal: AbortSignal): Promise<Check[]> {
  const pushed: Pushed = { tag, manifest: undefined, blobs: [] };
  const checks: Check[] = [];
  let removal: Check;
  try {
    for await (const done of pushAll(session, pushed, signal)) checks.push(done);
  } finally {
    const tidy = AbortSignal.timeout(tidyMs);
    removal = await check("delete", tidy, () => remove(session, pushed, tidy)).catch((error: unknown): Check => ({
      name: "delete",
      ...leftBehind(tag, error),
    }));
  }
  return [...checks, removal];
}

async function* pushAll(session: Session, pushed: Pushed, signal: AbortSignal): AsyncGenerator<Check> {
  const config = content(randomBytes(64));
  pushed.blobs.push(config);
  const whole = await check("push", signal, () => pushWhole(session, config, signal));
  yield whole;
  yield await check("chunks", signal, () => pushChunks(session, pushed.blobs, signal));
  if (whole.outcome === "fails") return;
  yield await check("mount", signal, () => askMount(session, config.descriptor, signal));
  const made = manifestOf(config.descriptor);
  pushed.manifest = made;
  const put = await check("manifest", signal, () => pushManifest(session, { tag: pushed.tag, ...made }, signal));
  if (put.error !== undefined && surelyRefused.has(put.error.code)) pushed.manifest = undefined;
  yield put;
}

/** After these nothing was stored. */
const surelyRefused: ReadonlySet<string> = new Set(["Unauthorized", "Forbidden", "NotFound", "RegistryUnsupported"]);

function manifestOf(config: Descriptor): Content {
  const document = {
    schemaVersion: 2,
    mediaType: ociManifestType,
    artifactType: "application/vnd.strata.doctor",
    config,
    layers: [config],
  };
  return content(Buffer.from(JSON.stringify(document)), ociManifestType);
}

const begin = { method: "POST", path: "blobs/uploads/", needs: "push", accept: [202] } as const;

async function pushWhole(session: Session, { bytes, descriptor }: Content, signal: AbortSignal): Promise<Answer> {
  const upload = locationOf(await session.ask(begin, signal));
  await session.ask(
    {
      method: "PUT",
      path: withDigest(upload, descriptor.digest),
      headers: lengthHeaders(bytes.length),
      body: () => bytes,
      needs: "push",
      accept: [201, 204],
      retry: false,
    },
    signal,
  );
  return answer("ok", "a blob in one PUT", "pushes blobs of up to 64 MiB so");
}

/** Two chunks and an empty PUT. */
async function pushChunks(session: Session, blobs: Content[], signal: AbortSignal): Promise<Answer> {
  const begun = await session.ask(begin, signal);
  const least = Number(begun.header("oci-chunk-min-length") ?? "0");
  if (least > maxChunkBytes)
    return answer("skipped", `chunks are of ${least} bytes at least`, "sends chunks of that size or more");
  const size = Math.max(chunkBytes, least || 0);
  const whole = content(randomBytes(size + 64));
  blobs.push(whole);
  try {
    const range = await sendChunks(session, { upload: locationOf(begun), size, whole }, signal);
    return range === `0-${whole.bytes.length - 1}`
      ? answer("ok", "two chunks", "pushes large blobs in chunks of 64 MiB")
      : answer("ok", `two chunks; Range stays ${range ?? "unsaid"}`, "pushes large blobs in chunks, by its own count");
  } catch (error) {
    const status = statusOf(error);
    if (!(error instanceof CodedError) || status < 400 || [401, 403, 429].includes(status)) throw error;
    return answer("limited", `chunks are refused with ${status}`, "sends the blob in one request instead");
  }
}

interface Chunks {
  readonly upload: URL;
  readonly size: number;
  readonly whole: Content;
}

/** Returns the last Range that the registry has stated. */
async function sendChunks(
  session: Session,
  { upload, size, whole }: Chunks,
  signal: AbortSignal,
): Promise<string | undefined> {
  let at = { url: upload, offset: 0 };
  let range: string | undefined;
  for (const part of [whole.bytes.subarray(0, size), whole.bytes.subarray(size)]) {
    const headers = { ...lengthHeaders(part.length), ...rangeHeader(at.offset, part.length) };
    const patch = { method: "PATCH", path: at.url, needs: "push", accept: [201, 202, 204], retry: false } as const;
    const response = await session.ask({ ...patch, headers, body: () => part }, signal);
    range = shown(response, "range")?.replace("bytes=", "");
    at = { url: nextLocation(response, at), offset: at.offset + part.length };
  }
  const path = withDigest(at.url, whole.descriptor.digest);
  const put = { method: "PUT", path, headers: lengthHeaders(0), needs: "push", accept: [201, 204] } as const;
  await session.ask({ ...put, retry: false }, signal);
  return range;
}

/** From the repository itself: no other one is touched. */
async function askMount(session: Session, blob: Descriptor, signal: AbortSignal): Promise<Answer> {
  const isMounted = await mountBlob(session, blob, session.target.repository, signal);
  return isMounted
    ? answer("ok", "201 for a blob of its own", "copies within the registry without a transfer")
    : answer("limited", "an upload is opened instead", "transfers the blob");
}

async function pushManifest(
  session: Session,
  { tag, bytes, descriptor }: Content & { tag: string },
  signal: AbortSignal,
): Promise<Answer> {
  await putManifest(session, { descriptor, bytes, reference: tag }, signal);
  return answer("ok", `a manifest under ${tag}`, "pushes artifacts and tags");
}

interface Pushed {
  readonly tag: string;
  /** Undefined where there is none to remove. */
  manifest: Content | undefined;
  readonly blobs: Content[];
}

async function remove(session: Session, { tag, manifest, blobs }: Pushed, signal: AbortSignal): Promise<Answer> {
  const way = manifest === undefined ? undefined : await removeManifest(session, { tag, manifest }, signal);
  const left = new Set<number>();
  for (const { descriptor } of blobs) {
    const request = { method: "DELETE", path: `blobs/${descriptor.digest}`, needs: "delete" } as const;
    const { status } = await session.ask({ ...request, accept: "settled" }, signal);
    if (!accepted.includes(status) && status !== 404) left.add(status);
  }
  if (way === undefined) return answer("skipped", "no manifest was pushed", "has nothing to delete");
  if (way instanceof Error) return leftBehind(tag, way);
  const unused = left.size === 0 ? "" : `; its blobs are left to the registry (${[...left].join(", ")})`;
  return answer("ok", `${way}${unused}`, "deletes what it has pushed itself where it is told to");
}

/** Which way it went, or the first refusal. */
async function removeManifest(
  session: Session,
  { tag, manifest }: { tag: string; manifest: Content },
  signal: AbortSignal,
): Promise<string | Error> {
  const refusals: Error[] = [];
  for (const [way, reference] of [
    ["deleted by digest", manifest.descriptor.digest],
    ["deleted by tag", tag],
  ] as const) {
    try {
      const request = { method: "DELETE", path: `manifests/${reference}`, needs: "delete" } as const;
      await session.ask({ ...request, accept: [...accepted, 404] }, signal);
      return way;
    } catch (error) {
      if (signal.aborted || !(error instanceof CodedError)) throw error;
      refusals.push(error);
    }
  }
  return refusals[0] ?? new CodedError("Internal", "no way was tried");
}

function leftBehind(tag: string, error: unknown): Answer {
  const { code, message } = error instanceof CodedError ? error : { code: "Internal" as const, message: String(error) };
  const strata = "leaves what it has pushed before where it is; your registry's own page deletes";
  return { outcome: "limited", found: `not deleted; ${tag} stays`, strata, error: { code, message } };
}
