import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import { readFile } from "node:fs/promises";
import { Parser, type ReadEntry } from "tar";
import { defaultLimits } from "../../config.ts";
import { parseManifest } from "../../oci/schema.ts";
import type { Repository } from "../../oci/content.ts";
import type { Descriptor, Layer, ManifestNode } from "../../oci/types.ts";
import { openLayout } from "../../registry/layout.ts";

const never = new AbortController().signal;
const fixtures = join(import.meta.dirname, "../fixtures/oci");

/** A repository of the fixtures. */
export function fixture(name: string): Repository {
  return openLayout(join(fixtures, name), defaultLimits);
}

/** The manifest that a tag or digest names, which must not be an index, as the walk would find it. */
export async function manifestNode(repository: Repository, reference: string | Descriptor): Promise<ManifestNode> {
  const descriptor = typeof reference === "string" ? await repository.resolve(reference, never) : reference;
  const manifest = parseManifest(
    await buffer(await repository.fetch(descriptor, never)),
    descriptor.mediaType,
    descriptor.digest,
  );
  if (manifest.kind !== "manifest") throw new Error(`${descriptor.digest} is an index`);
  return {
    descriptor,
    manifest,
    path: [],
    effectiveType: descriptor.artifactType ?? manifest.artifactType ?? manifest.config.mediaType,
    effectiveAnnotations: { ...manifest.annotations, ...descriptor.annotations },
  };
}

export function layersOf(node: ManifestNode): Layer[] {
  return node.manifest.layers.map((descriptor, ordinal) => ({ descriptor, node, ordinal }));
}

type Contents = Map<string, { readonly content: Buffer; readonly mode: number }>;

/** What a tar.gz holds, read by another parser than ours: path to content; directories end in a slash. */
export async function filesIn(path: string): Promise<Contents> {
  return await filesOf(await readFile(path));
}

/** The paths of a tar.gz. */
export async function listArchive(archive: Buffer): Promise<string[]> {
  return [...(await filesOf(archive)).keys()];
}

async function filesOf(archive: Buffer): Promise<Contents> {
  const files = new Map<string, { content: Buffer; mode: number }>();
  const parser = new Parser({ strict: true });
  const done = new Promise<void>((resolve, reject) => parser.on("end", resolve).on("error", reject));
  parser.on("entry", (entry: ReadEntry) => {
    const chunks: Buffer[] = [];
    entry.on("data", (chunk: Buffer) => chunks.push(chunk));
    entry.on("end", () =>
      files.set(entry.type === "Directory" ? `${entry.path.replace(/\/$/, "")}/` : entry.path, {
        content: Buffer.concat(chunks),
        mode: entry.mode ?? 0,
      }),
    );
  });
  parser.end(gunzipSync(archive));
  await done;
  return files;
}
