import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Descriptor, Digest } from "../../oci/types.ts";
import { fileContent, type RegistryStore } from "./store.ts";

/** The OCI image layouts made by the real tools; a layout's path below here is its repository's name. */
export const fixturesDir = fileURLToPath(new URL("../fixtures/oci", import.meta.url));

const refName = "org.opencontainers.image.ref.name";

/** Serves the OCI image layout in `dir` as `repository`; blobs stay on disk. */
export async function loadLayout(store: RegistryStore, dir: string, repository: string): Promise<void> {
  const index = JSON.parse(await readFile(join(dir, "index.json"), "utf8")) as { manifests: Descriptor[] };
  const isManifest = new Set<string>();
  const queue: { descriptor: Descriptor; tag: string | undefined }[] = index.manifests.map((descriptor) => ({
    descriptor,
    tag: descriptor.annotations?.[refName],
  }));
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { descriptor, tag } = next;
    isManifest.add(descriptor.digest);
    const bytes = await readFile(blobPath(dir, descriptor.digest));
    store.putManifest(repository, bytes, { mediaType: descriptor.mediaType, ...(tag !== undefined && { tag }) });
    const { manifests = [] } = JSON.parse(bytes.toString("utf8")) as { manifests?: Descriptor[] };
    for (const child of manifests) queue.push({ descriptor: child, tag: undefined });
  }
  await loadBlobs(store, dir, { repository, isManifest });
}

async function loadBlobs(
  store: RegistryStore,
  dir: string,
  to: { repository: string; isManifest: ReadonlySet<string> },
): Promise<void> {
  for (const algorithm of await readdir(join(dir, "blobs"))) {
    for (const hex of await readdir(join(dir, "blobs", algorithm))) {
      const digest = `${algorithm}:${hex}` as Digest;
      if (to.isManifest.has(digest)) continue;
      const path = blobPath(dir, digest);
      store.repository(to.repository).blobs.set(digest, fileContent(path, (await stat(path)).size));
    }
  }
}

const blobPath = (dir: string, digest: Digest): string => join(dir, "blobs", ...digest.split(":"));

/** Every fixture layout, under the path it has below `fixtures/oci`: `timoni/mod`, `helm/chart`, `product`, … */
export async function loadFixtures(store: RegistryStore): Promise<string[]> {
  const layouts = (await readdir(fixturesDir, { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.name === "oci-layout",
  );
  const names = layouts.map((entry) => relative(fixturesDir, entry.parentPath).split(sep).join("/")).sort();
  for (const name of names) await loadLayout(store, join(fixturesDir, name), name);
  return names;
}
