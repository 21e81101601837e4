import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { defaultLimits } from "../config.ts";
import type { Descriptor } from "../oci/types.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { loadGraph } from "./graph.ts";
import { rememberManifests } from "./memo.ts";
import { manifestNodes, treeOf, type TreeEntry } from "./tree.ts";

const never = new AbortController().signal;
const options = { limits: defaultLimits, signal: never };

function manifestIn(repository: MemoryRepository, name: string): Descriptor {
  return repository.manifest({
    config: repository.blob("{}", "application/vnd.example.config"),
    layers: [repository.blob(name, "text/plain")],
  });
}

function nested(repository: MemoryRepository, depth: number): Descriptor {
  let inner = manifestIn(repository, "core");
  for (let level = 0; level < depth; level++)
    inner = repository.manifest({ manifests: [inner], annotations: { level: String(level) } });
  return inner;
}

const codeFor = async (work: Promise<unknown>): Promise<string> => await work.then(() => "none", codeOf);

function kinds(entry: TreeEntry): unknown {
  return entry.kind === "index" ? [entry.kind, ...entry.manifests.map(kinds)] : entry.kind;
}

async function draw(repository: MemoryRepository, root: Descriptor): Promise<TreeEntry> {
  return treeOf(root, { graph: await loadGraph(repository, root, options), referrers: new Map(), layers: [] });
}

describe("a graph", () => {
  it("holds every manifest once, in nested indexes too", async () => {
    const repository = new MemoryRepository();
    const [a, b] = [manifestIn(repository, "a"), manifestIn(repository, "b")];
    const inner = repository.manifest({ manifests: [a, b] });
    const root = repository.manifest({ manifests: [inner, a] });
    const graph = await loadGraph(repository, root, options);
    expect([...graph.keys()].toSorted()).toEqual([root, inner, a, b].map(({ digest }) => digest).toSorted());
    expect(repository.fetched).toHaveLength(4);
    expect(kinds(await draw(repository, root))).toEqual(["index", ["index", "manifest", "manifest"], "repeated"]);
    expect(manifestNodes(root, graph).map(({ descriptor, path }) => [descriptor.digest, path])).toEqual([
      [a.digest, [root.digest, inner.digest]],
      [b.digest, [root.digest, inner.digest]],
    ]);
  });

  it("shows what it cannot read beside what it can", async () => {
    const repository = new MemoryRepository();
    const a = manifestIn(repository, "a");
    const gone = { ...a, digest: `sha256:${"0".repeat(64)}` } as const;
    const broken = repository.put(`sha256:${"1".repeat(64)}`, Buffer.from("{}"), a.mediaType);
    const foreign = repository.blob("x", "application/x-other");
    const root = repository.manifest({ manifests: [gone, broken, foreign, a] });
    const tree = await draw(repository, root);
    expect(kinds(tree)).toEqual(["index", "unread", "unread", "foreign", "manifest"]);
    const problems =
      tree.kind === "index"
        ? tree.manifests.map((entry) => ("problem" in entry ? entry.problem?.code : undefined))
        : [];
    expect(problems).toEqual(["NotFound", "DigestMismatch", undefined, undefined]);
  });

  it("fails where the root cannot be read", async () => {
    const repository = new MemoryRepository();
    const root = { ...manifestIn(repository, "a"), digest: `sha256:${"0".repeat(64)}` } as const;
    expect(await codeFor(loadGraph(repository, root, options))).toBe("NotFound");
  });

  it.each([
    [8, "none"],
    [9, "none"],
    [10, "IndexTooDeep"],
  ])("of %i indexes over each other: %s", async (depth, code) => {
    const repository = new MemoryRepository();
    expect(await codeFor(loadGraph(repository, nested(repository, depth), options))).toBe(code);
  });

  it("is refused before more than the limit is fetched", async () => {
    const repository = new MemoryRepository();
    const root = repository.manifest({ manifests: ["a", "b", "c"].map((name) => manifestIn(repository, name)) });
    const limits = { ...defaultLimits, maxManifests: 3 };
    expect(await codeFor(loadGraph(repository, root, { limits, signal: never }))).toBe("TooManyManifests");
    expect(repository.fetched).toEqual([root.digest]);
  });

  it("ends with the signal, not with a child that cannot be read", async () => {
    const repository = new MemoryRepository();
    const root = repository.manifest({ manifests: [manifestIn(repository, "a")] });
    const abort = new AbortController();
    const fetch = repository.fetch.bind(repository);
    const stopping = {
      fetch: (descriptor: Descriptor, signal: AbortSignal) => {
        if (descriptor.digest !== root.digest) abort.abort();
        return fetch(descriptor, signal);
      },
    };
    expect(await codeFor(loadGraph(stopping, root, { limits: defaultLimits, signal: abort.signal }))).toBe("Aborted");
  });
});

describe("remembered manifests", () => {
  it("are fetched once, blobs each time", async () => {
    const repository = new MemoryRepository();
    const blob = repository.blob("layer");
    const root = manifestIn(repository, "a");
    const memo = rememberManifests(repository);
    for (const descriptor of [root, root, blob, blob]) await (await memo.fetch(descriptor, never)).toArray();
    expect(repository.fetched).toEqual([root.digest, blob.digest, blob.digest]);
  });

  it("are not kept where they were not what their digest names", async () => {
    const repository = new MemoryRepository();
    const broken = repository.put(
      `sha256:${"1".repeat(64)}`,
      Buffer.from("{}"),
      "application/vnd.oci.image.manifest.v1+json",
    );
    const memo = rememberManifests(repository);
    for (let time = 0; time < 2; time++)
      expect(await codeFor(memo.fetch(broken, never).then(async (stream) => await stream.toArray()))).toBe(
        "DigestMismatch",
      );
    expect(repository.fetched).toHaveLength(2);
  });
});
