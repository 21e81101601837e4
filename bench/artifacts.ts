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
} as const satisfies Record<string, readonly TreeSpec[]>;

export type ArtifactName = keyof typeof trees;

/** What the benchmark has pushed to its registry; each artifact is made when it is first asked for. */
export interface Artifacts {
  /** The `oci://` URL of an artifact; its tag is `1.0.0`. */
  url(name: ArtifactName): Promise<string>;
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
  return {
    url: (name) => once(`bench/${name.toLowerCase()}`, trees[name], name === "module" ? "timoni" : "flux"),
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
