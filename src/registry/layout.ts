import type { FileHandle } from "node:fs/promises";
import { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import type { WritableRepository } from "../oci/content.ts";
import { matchesDigest, parseDigest } from "../oci/digest.ts";
import type { Limits } from "../oci/limits.ts";
import { acceptedTypes } from "../oci/media-types.ts";
import { referrerEntry } from "../oci/referrer.ts";
import { parseManifest } from "../oci/schema.ts";
import type { Descriptor, Digest, Index, Manifest } from "../oci/types.ts";
import { blobPath, fileError, openFile, readSmall, sizeOf } from "./layout-file.ts";
import { type Layout, readIndex, refNameKey } from "./layout-index.ts";
import { LayoutWriter } from "./layout-write.ts";
import { fallbackTag } from "./referrers.ts";
import { chunkBytes, verifiedStream } from "./verified.ts";
import { counted } from "../text/count.ts";

/**
 * An OCI image layout with the ports of a repository; its tags are the names in index.json. A write makes the layout
 * where there is none.
 */
export function openLayout(dir: string, limits: Limits): WritableRepository {
  const layout: Layout = { dir, name: `oci-layout://${dir}`, limits };
  const writer = new LayoutWriter(layout);
  return {
    name: layout.name,
    resolve: async (reference) => await resolve(layout, reference),
    fetch: async (descriptor, signal) => await fetch(layout, descriptor, signal),
    tags: async function* () {
      const names = [
        ...new Set((await readIndex(layout)).manifests.flatMap((entry) => entry.annotations?.[refNameKey] ?? [])),
      ];
      if (names.length > 0) yield names;
    },
    referrers: async (subject) => await referrers(layout, subject),
    exists: async ({ digest, size }) => (await sizeOf(blobPath(dir, digest))) === size,
    // All content of a layout is in one place already: there is nothing to mount from.
    mount: () => Promise.resolve(false),
    pushBlob: async (descriptor, open, signal) => await writer.writeBlob(descriptor, open(0), signal),
    pushManifest: async (descriptor, bytes, reference) => await writer.writeManifest(descriptor, bytes, reference),
    deleteManifest: async (digest) => await writer.deleteManifest(digest),
  };
}

async function resolve(layout: Layout, reference: string): Promise<Descriptor> {
  const { manifests } = await readIndex(layout);
  if (reference.includes(":") && !manifests.some((entry) => entry.annotations?.[refNameKey] === reference))
    return await resolveDigest(layout, parseDigest(reference));
  const found = manifests.filter((entry) => entry.annotations?.[refNameKey] === reference);
  const digests = [...new Set(found.map((entry) => entry.digest))];
  const [first] = found;
  if (!first) {
    const names = manifests.flatMap((entry) => entry.annotations?.[refNameKey] ?? []).slice(0, 20);
    throw new CodedError("NotFound", `${layout.name} has no "${reference}"; it has ${names.join(", ") || "no names"}`);
  }
  if (digests.length > 1) {
    throw new CodedError(
      "AmbiguousManifest",
      `${layout.name} has "${reference}" ${digests.length} times; name one by its digest: ${digests.slice(0, 20).join(", ")}`,
    );
  }
  return { mediaType: first.mediaType, digest: first.digest, size: first.size };
}

async function resolveDigest(layout: Layout, digest: Digest): Promise<Descriptor> {
  const bytes = await readManifest(layout, digest);
  const { mediaType } = parseManifest(bytes, undefined, `${layout.name}@${digest}`);
  return { mediaType, digest, size: bytes.length };
}

async function readManifest({ dir, name, limits }: Layout, digest: Digest): Promise<Buffer> {
  const bytes = await readSmall(blobPath(dir, digest), limits.maxManifestBytes, `${name}@${digest}`);
  if (!matchesDigest(bytes, digest))
    throw new CodedError("DigestMismatch", `${name}@${digest}: the file has other content`);
  return bytes;
}

async function fetch({ dir, name, limits }: Layout, descriptor: Descriptor, signal: AbortSignal): Promise<Readable> {
  const { digest, data } = descriptor;
  if (data !== undefined) return Readable.from([Buffer.from(data, "base64")], { objectMode: false });
  const { file, size } = await openFile(blobPath(dir, digest), `${name}@${digest}`);
  if (size === descriptor.size && size <= limits.maxLayerBytes) {
    return verifiedStream(chunksOf(file, name), descriptor, {
      signal,
      close: () => void file.close().catch(() => undefined),
    });
  }
  await file.close();
  throw new CodedError(
    "SizeMismatch",
    `${name}@${digest} has ${counted(size, "byte")}, not ${descriptor.size} as its descriptor says (at most ${limits.maxLayerBytes} are read)`,
  );
}

async function* chunksOf(file: FileHandle, name: string): AsyncGenerator<Buffer> {
  try {
    for (;;) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(chunkBytes), 0, chunkBytes);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw fileError(error, name);
  }
}

/** Entries of index.json with that subject, and those of the index under the fallback tag. */
async function referrers(layout: Layout, subject: Digest): Promise<Descriptor[]> {
  const { manifests } = await readIndex(layout);
  if (manifests.length > layout.limits.maxManifests)
    throw new CodedError("TooManyManifests", `${layout.name} has more than ${layout.limits.maxManifests} manifests`);
  const found = new Map<string, Descriptor>();
  for (const entry of manifests.filter((candidate) => acceptedTypes.includes(candidate.mediaType))) {
    const manifest = await parsed(layout, entry);
    if (manifest.subject?.digest === subject) found.set(entry.digest, referrerEntry(entry, manifest));
    if (manifest.kind !== "index" || entry.annotations?.[refNameKey] !== fallbackTag(subject)) continue;
    for (const listed of manifest.manifests) if (!found.has(listed.digest)) found.set(listed.digest, listed);
  }
  return [...found.values()];
}

async function parsed(layout: Layout, { digest, mediaType }: Descriptor): Promise<Manifest | Index> {
  return parseManifest(await readManifest(layout, digest), mediaType, `${layout.name}@${digest}`);
}
