import pLimit from "p-limit";
import { pushArtifact } from "../e2e/push.ts";
import type { Registry } from "../e2e/registry.ts";
import { tarball, type TreeSpec } from "./content.ts";

const fluxLayer = "application/vnd.cncf.flux.content.v1.tar+gzip";
const fluxConfig = { mediaType: "application/vnd.cncf.flux.config.v1+json", bytes: Buffer.from("{}") };
const TAG = "1.0.0";

/** Most have files of 4 kB, as manifests are; several trees are several layers. */
const trees = {
  small: [{ seed: "small", files: 10, fileBytes: 4000 }],
  mid: [{ seed: "mid", files: 2500, fileBytes: 4000 }],
  big: [{ seed: "big", files: 25_000, fileBytes: 4000 }],
  fewFiles: [{ seed: "few files", files: 1000, fileBytes: 100_000 }],
  twoOf50: [{ seed: "first half", files: 12_500, fileBytes: 4000 }, { seed: "second half", files: 12_500, fileBytes: 4000, directory: "second/" }],
  twoOf100: [{ seed: "first", files: 25_000, fileBytes: 4000 }, { seed: "second", files: 25_000, fileBytes: 4000, directory: "second/" }],
  huge: [{ seed: "huge", files: 10_000, fileBytes: 100_000 }],
} as const satisfies Record<string, readonly TreeSpec[]>;

export type ArtifactName = keyof typeof trees;

/** What the benchmark has pushed to its registry; each artifact is made when it is first asked for. */
export interface Artifacts {
  /** The `oci://` URL of an artifact; its tag is `1.0.0`. */
  url(name: ArtifactName): Promise<string>;
  /** So many different small artifacts, each in a repository of its own; other ones for warming up than for measuring. */
  many(count: number, use?: "work" | "warm-up"): Promise<readonly string[]>;
}

export const artifactRef = { tag: TAG } as const;

export function pushedTo(registry: Registry): Artifacts {
  const pushed = new Map<string, Promise<string>>();
  const push = async (repository: string, specs: readonly TreeSpec[]): Promise<string> => {
    const layers = [];
    for (const spec of specs) layers.push({ mediaType: fluxLayer, bytes: await tarball(spec) });
    await pushArtifact(registry, repository, TAG, { layers, config: fluxConfig });
    return `oci://${registry.host}/${repository}`;
  };
  const once = (repository: string, specs: readonly TreeSpec[]): Promise<string> => {
    const known = pushed.get(repository) ?? push(repository, specs);
    pushed.set(repository, known);
    return known;
  };
  return {
    url: (name) => once(`bench/${name.toLowerCase()}`, trees[name]),
    many: (count, use = "work") => pLimit(8).map(Array.from({ length: count }, (_, n) => `${use}/${String(n).padStart(5, "0")}`), (name) => once(`bench/${name}`, [{ ...trees.small[0], seed: name }])),
  };
}
