import { acceptedTypes } from "../oci/media-types.ts";
import { isDigest, matchesDigest, sha256Of } from "../oci/digest.ts";
import { parseHinted } from "../oci/schema.ts";
import type { Descriptor, Digest, Index, Manifest } from "../oci/types.ts";
import { statedDigest } from "../registry/manifests.ts";
import type { Session } from "../registry/session.ts";
import type { HttpResponse } from "../registry/http-message.ts";
import { answer, type Answer, shown } from "./check.ts";
import { counted } from "../text/count.ts";

const headers = { accept: acceptedTypes.join(", ") };
/** Children of an index that are asked for; a sparse index lacks some. */
const maxChildren = 5;

/** A manifest or index as it came by GET. */
export interface Root {
  readonly response: HttpResponse;
  readonly body: Buffer;
  /** What the bytes hash to, whatever the headers say. */
  readonly digest: Digest;
  readonly document: Manifest | Index;
}

/** @throws NotFound, Unauthorized, Forbidden, DigestMismatch, ManifestInvalid, … */
export async function fetchRoot(session: Session, reference: string, signal: AbortSignal): Promise<Root> {
  const { response, body } = await session.fetchManifestBytes(
    { method: "GET", path: `manifests/${reference}`, headers, needs: "pull", accept: [200] },
    signal,
  );
  const digest = isDigest(reference) && matchesDigest(body, reference) ? reference : sha256Of(body);
  const type = response.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  const known = type !== undefined && acceptedTypes.includes(type) ? type : undefined;
  return { response, body, digest, document: parseHinted(body, known, response.name) };
}

export function describeRoot({ body, digest, document }: Root): string {
  return `${document.mediaType}, ${counted(body.length, "byte")}, ${digest}`;
}

/** Whether HEAD says what GET brings. */
export async function askHead(session: Session, reference: string, root: Root, signal: AbortSignal): Promise<Answer> {
  const head = await session.ask(
    { method: "HEAD", path: `manifests/${reference}`, headers, needs: "pull", accept: "settled" },
    signal,
  );
  if (head.status !== 200) return answer("limited", `refused with ${head.status}`, "asks by GET instead");
  const differences = [
    ...differing("Content-Length", shown(head, "content-length"), String(root.body.length)),
    ...differing("Docker-Content-Digest", shown(head, "docker-content-digest"), root.digest),
    ...differing("Content-Type", shown(head, "content-type")?.split(";", 1)[0]?.trim(), root.document.mediaType),
  ];
  if (differences.length === 0) return answer("ok", "says what GET brings", "checks for news by HEAD");
  return answer("limited", differences.join("; "), "takes HEAD as a hint, and lets GET decide");
}

function differing(header: string, said: string | undefined, got: string): string[] {
  if (said === undefined) return [`no ${header}`];
  return said === got ? [] : [`${header} is ${said}, by GET it is ${got}`];
}

export function askDigest({ response, body, digest }: Root): Answer {
  const stated = statedDigest(response);
  if (stated === undefined)
    return answer("limited", "no Docker-Content-Digest with the manifest", "computes the digest from the bytes");
  if (stated === digest || matchesDigest(body, stated))
    return answer("ok", "Docker-Content-Digest is that of the bytes", "checks it against the bytes each time");
  return answer(
    "fails",
    `Docker-Content-Digest is ${stated}, the bytes are ${digest}`,
    "refuses it by tag; name the digest",
  );
}

/** The smallest blob of what was read, to try a range on. */
export async function findBlob(session: Session, root: Root, signal: AbortSignal): Promise<Descriptor | undefined> {
  const manifest = "manifests" in root.document ? await firstChild(session, root.document, signal) : root.document;
  const blobs = manifest === undefined ? [] : [manifest.config, ...manifest.layers];
  return blobs.filter(({ size }) => size > 1).toSorted((a, b) => a.size - b.size)[0];
}

async function firstChild(session: Session, index: Index, signal: AbortSignal): Promise<Manifest | undefined> {
  for (const { digest } of index.manifests.slice(0, maxChildren)) {
    const child = await fetchRoot(session, digest, signal).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return undefined;
    });
    if (child !== undefined && "layers" in child.document) return child.document;
  }
  return undefined;
}

/** Whether a download that broke off can be taken up again. */
export async function askRange(session: Session, root: Root, signal: AbortSignal): Promise<Answer> {
  const blob = await findBlob(session, root, signal);
  if (blob === undefined) return answer("skipped", "no blob to ask for", "tries a range after a broken download");
  const request = {
    method: "GET",
    path: `blobs/${blob.digest}`,
    headers: { range: "bytes=1-" },
    needs: "pull",
    accept: [200, 206, 416],
  } as const;
  return await session.send(request, signal, (response) => {
    response.body.destroy();
    return Promise.resolve(rangeAnswer(response, session.origin));
  });
}

function rangeAnswer(response: HttpResponse, origin: string): Answer {
  const { host } = response.url;
  const from = host === new URL(origin).host ? "" : `; blobs come from ${host}`;
  const range = shown(response, "content-range") ?? "without Content-Range";
  if (response.status === 206 && range.startsWith("bytes 1-"))
    return answer("ok", `206 ${range}${from}`, "goes on where a download broke off");
  if (response.status === 200)
    return answer("limited", `ignored: the whole comes${from}`, "reads the whole again and skips what it has");
  return answer(
    "fails",
    `${response.status} ${range}${from}`,
    "begins anew at the next try when a download breaks off",
  );
}

const rateHeaders = [
  "ratelimit-limit",
  "ratelimit-remaining",
  "ratelimit-reset",
  "ratelimit",
  "ratelimit-policy",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
  "x-ratelimit-reset",
  "retry-after",
];

export function askRate({ response }: Root): Answer {
  const said = rateHeaders.flatMap((name) => {
    const value = shown(response, name);
    return value === undefined ? [] : [`${name}: ${value}`];
  });
  const strata = "waits as Retry-After says, within the deadline";
  return answer("ok", said.length === 0 ? "no headers about rate limits" : said.join(", "), strata);
}
