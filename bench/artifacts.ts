import pLimit from "p-limit";
import { pushArtifact, retag } from "../e2e/push.ts";
import type { Registry } from "../e2e/registry.ts";
import { tarball, type TreeSpec } from "../e2e/content.ts";

/** What the Flux CLI and Timoni push; each pulls its own kind only. */
const kinds = {
  flux: {
    layer: { mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip" },
    config: "application/vnd.cncf.flux.config.v1+json",
  },
  timoni: {
    layer: {
      mediaType: "application/vnd.timoni.content.v1.tar+gzip",
      annotations: { "sh.timoni.content.type": "module" },
    },
    config: "application/vnd.timoni.config.v1+json",
  },
} as const;
const benchTag = "1.0.0";

/** Most have files of 4 kB, as manifests are; several trees are several layers. */
const trees = {
  small: [{ seed: "small", files: 10, fileBytes: 4000 }],
  mid: [{ seed: "mid", files: 2500, fileBytes: 4000 }],
  big: [{ seed: "big", files: 25_000, fileBytes: 4000 }],
  fewFiles: [{ seed: "few files", files: 1000, fileBytes: 100_000 }],
  twoOf50: [
    { seed: "first half", files: 12_500, fileBytes: 4000 },
    { seed: "second half", files: 12_500, fileBytes: 4000, directory: "second/" },
  ],
  /** Pulled by Timoni. */
  module: [
    { seed: "first", files: 25_000, fileBytes: 4000 },
    { seed: "second", files: 25_000, fileBytes: 4000, directory: "second/" },
  ],
  huge: [{ seed: "huge", files: 10_000, fileBytes: 100_000 }],
  /** 300 MB to download. */
  long: [{ seed: "long", files: 5800, fileBytes: 100_000 }],
} as const satisfies Record<string, readonly TreeSpec[]>;

export type ArtifactName = keyof typeof trees;

/** What the benchmark has pushed to its registry; each artifact is made when it is first asked for. */
export interface Artifacts {
  /** The `oci://` URL of an artifact; its tag is `1.0.0`. */
  url(name: ArtifactName): Promise<string>;
  /** The same artifact in so many repositories. */
  copies(name: ArtifactName, count: number): Promise<readonly string[]>;
  /** So many different small artifacts, each in a repository of its own; other ones for warming up than for measuring. */
  many(count: number, use?: "work" | "warm-up"): Promise<readonly string[]>;
  /** Pushes the same layers under another tag, in another manifest. */
  retag(urls: readonly string[], tag: string): Promise<void>;
}

export const artifactRef = { tag: benchTag } as const;

export function pushedTo(registry: Registry): Artifacts {
  const pushed = new Map<string, Promise<string>>();
  const push = async (repository: string, specs: readonly TreeSpec[], kind: keyof typeof kinds): Promise<string> => {
    const { layer, config } = kinds[kind];
    const layers = [];
    for (const spec of specs) layers.push({ ...layer, bytes: await tarball(spec) });
    await pushArtifact(registry, repository, benchTag, {
      layers,
      config: { mediaType: config, bytes: Buffer.from("{}") },
    });
    return `oci://${registry.host}/${repository}`;
  };
  const once = (repository: string, specs: readonly TreeSpec[], kind: keyof typeof kinds = "flux"): Promise<string> => {
    const known = pushed.get(repository) ?? push(repository, specs, kind);
    pushed.set(repository, known);
    return known;
  };
  const url = (name: ArtifactName): Promise<string> =>
    once(`bench/${name.toLowerCase()}`, trees[name], name === "module" ? "timoni" : "flux");
  return {
    url,
    copies: async (name, count) => await copiesOf(registry, await url(name), count),
    many: (count, use = "work") =>
      pLimit(8).map(
        Array.from({ length: count }, (_, n) => `${use}/${String(n).padStart(5, "0")}`),
        (name) => once(`bench/${name}`, [{ ...trees.small[0], seed: name }]),
      ),
    retag: async (urls, tag) => {
      const repositories = urls.map((url) => url.slice(`oci://${registry.host}/`.length));
      await pLimit(8).map(repositories, (repository) => retag(registry, repository, benchTag, tag));
    },
  };
}

async function copiesOf(registry: Registry, url: string, count: number): Promise<readonly string[]> {
  const from = url.slice(`oci://${registry.host}/`.length);
  return await pLimit(4).map(
    Array.from({ length: count }, (_, n) => `${from}-${n}`),
    async (repository) => {
      await copyArtifact(registry, from, repository);
      return `oci://${registry.host}/${repository}`;
    },
  );
}

/** The registry takes what it has from the other repository: no layer is sent. */
async function copyArtifact(registry: Registry, from: string, to: string): Promise<void> {
  const manifestUrl = (repository: string): string => `${registry.url}/v2/${repository}/manifests/${benchTag}`;
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const response = await fetch(manifestUrl(from), { headers: { accept: mediaType } });
  const text = await response.text();
  const { config, layers } = JSON.parse(text) as { config: { digest: string }; layers: { digest: string }[] };
  for (const { digest } of [config, ...layers]) {
    const mounted = await fetch(`${registry.url}/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`, {
      method: "POST",
    });
    if (mounted.status !== 201) throw new Error(`${digest} was not mounted in ${to}: ${mounted.status}`);
  }
  const put = await fetch(manifestUrl(to), { method: "PUT", body: text, headers: { "content-type": mediaType } });
  if (put.status !== 201) throw new Error(`the manifest was not pushed to ${to}: ${put.status}`);
}
