import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import type { Fetcher } from "./content.ts";
import { ociIndexType, ociManifestType } from "./media-types.ts";
import type { Descriptor, Digest } from "./types.ts";
import { walk, type Visit, type WalkOptions } from "./walk.ts";

const limits = { maxManifestBytes: 4 * 1024 * 1024, maxManifests: 1000, maxIndexDepth: 8, maxWalkBytes: 1024 * 1024 };
const signal = new AbortController().signal;

async function visits(fetcher: Fetcher, root: Descriptor, options: Partial<WalkOptions> = {}): Promise<Visit[]> {
  const found: Visit[] = [];
  for await (const visit of walk(fetcher, root, { limits, signal, ...options })) found.push(visit);
  return found;
}

const digestsOf = (found: readonly Visit[]) => found.map(({ descriptor }) => descriptor.digest);
const failure = async (promise: Promise<unknown>) =>
  codeOf(
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

function manifest(repository: MemoryRepository, name: string, extra: Record<string, unknown> = {}): Descriptor {
  return repository.manifest({
    config: repository.blob(`{"n":"${name}"}`, "application/vnd.example.config.v1+json"),
    layers: [repository.blob(name)],
    ...extra,
  });
}

/** a → b → … : `count` indexes around one manifest; the outermost comes last. */
function chain(repository: MemoryRepository, count: number): Descriptor {
  let inner = manifest(repository, "leaf");
  for (let i = 0; i < count; i++)
    inner = repository.manifest({ manifests: [inner], annotations: { level: String(i) } });
  return inner;
}

describe("walk", () => {
  it("goes depth first, in index order", async () => {
    const repository = new MemoryRepository();
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => manifest(repository, name)) as [
      Descriptor,
      Descriptor,
      Descriptor,
      Descriptor,
    ];
    const inner = repository.manifest({ manifests: [b, c] });
    const root = repository.manifest({ manifests: [a, inner, d] });
    const found = await visits(repository, root);
    expect(digestsOf(found)).toEqual([root, a, inner, b, c, d].map(({ digest }) => digest));
    expect(found.map(({ kind }) => kind)).toEqual(["index", "manifest", "index", "manifest", "manifest", "manifest"]);
    expect(found.map(({ path }) => path)).toEqual([
      [],
      [root.digest],
      [root.digest],
      [root.digest, inner.digest],
      [root.digest, inner.digest],
      [root.digest],
    ]);
  });

  it("visits a root that is itself a manifest", async () => {
    const repository = new MemoryRepository();
    const root = manifest(repository, "a");
    const [only, ...others] = await visits(repository, root);
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      kind: "manifest",
      path: [],
      node: { effectiveType: "application/vnd.example.config.v1+json", effectiveAnnotations: {} },
    });
  });

  it.each([
    { from: "the config", own: {}, described: {}, type: "application/vnd.example.config.v1+json" },
    { from: "the manifest", own: { artifactType: "application/own" }, described: {}, type: "application/own" },
    {
      from: "the descriptor",
      own: { artifactType: "application/own" },
      described: { artifactType: "application/described" },
      type: "application/described",
    },
  ])("takes the effective type from $from", async ({ own, described, type }) => {
    const repository = new MemoryRepository();
    const child = { ...manifest(repository, "a", own), ...described };
    const root = repository.manifest({ manifests: [child], artifactType: "application/of-the-index" });
    expect((await visits(repository, root))[1]).toMatchObject({ node: { effectiveType: type } });
  });

  it("lays a descriptor's annotations over the manifest's, and none of the index's", async () => {
    const repository = new MemoryRepository();
    const child = {
      ...manifest(repository, "a", { annotations: { both: "manifest", own: "manifest" } }),
      annotations: { both: "descriptor", told: "descriptor" },
    };
    const root = repository.manifest({ manifests: [child], annotations: { index: "index" } });
    const found = (await visits(repository, root))[1];
    expect(found?.kind === "manifest" && found.node.effectiveAnnotations).toEqual({
      both: "descriptor",
      own: "manifest",
      told: "descriptor",
    });
  });

  it("never fetches what is refused, and says so in its place", async () => {
    const repository = new MemoryRepository();
    const [a, b] = [manifest(repository, "a"), manifest(repository, "b")];
    const inner = repository.manifest({ manifests: [b] });
    const root = repository.manifest({ manifests: [a, inner] });
    const refuse = ({ digest }: Descriptor) => (digest === inner.digest ? "no" : undefined);
    expect((await visits(repository, root, { refuse })).map((visit) => [visit.kind, visit.descriptor.digest])).toEqual([
      ["index", root.digest],
      ["manifest", a.digest],
      ["passed", inner.digest],
    ]);
    expect(repository.fetched).toEqual([root.digest, a.digest]);
  });

  it("tells the predicate how many indexes are above", async () => {
    const repository = new MemoryRepository();
    const depths: number[] = [];
    await visits(repository, chain(repository, 3), { refuse: (_, depth) => void depths.push(depth) });
    expect(depths).toEqual([1, 2, 3]);
  });

  it("passes over children of unknown media types", async () => {
    const repository = new MemoryRepository();
    const root = repository.manifest({
      manifests: [repository.blob("x", "application/vnd.example.thing"), manifest(repository, "a")],
    });
    expect((await visits(repository, root)).map(({ kind }) => kind)).toEqual(["index", "passed", "manifest"]);
    expect(repository.fetched).toHaveLength(2);
  });

  it("fetches each digest once, however often and deep it is listed", async () => {
    const repository = new MemoryRepository();
    const [a, b] = [manifest(repository, "a"), manifest(repository, "b")];
    const inner = repository.manifest({ manifests: [b, a] });
    const root = repository.manifest({ manifests: [inner, a, inner, b, a] });
    expect(digestsOf(await visits(repository, root))).toEqual([root, inner, b, a].map(({ digest }) => digest));
    expect(repository.fetched.toSorted()).toEqual([root, inner, a, b].map(({ digest }) => digest).toSorted());
  });

  it("judges a repeated digest by each of its descriptors until one is let in", async () => {
    const repository = new MemoryRepository();
    const a = manifest(repository, "a");
    const at = (architecture: string) => ({ ...a, platform: { os: "linux", architecture } });
    const root = repository.manifest({ manifests: [at("arm64"), at("amd64")] });
    const found = await visits(repository, root, {
      refuse: ({ platform }) => (platform?.architecture === "arm64" ? "no" : undefined),
    });
    expect(found.map(({ kind }) => kind)).toEqual(["index", "passed", "manifest"]);
  });

  it("ends on a cycle, which only a registry that lies about digests can serve", async () => {
    const repository = new MemoryRepository();
    const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
    const bodies = new Map([
      [
        digest("a"),
        {
          manifests: [
            { mediaType: ociIndexType, digest: digest("b"), size: 1 },
            { mediaType: ociIndexType, digest: digest("a"), size: 1 },
          ],
        },
      ],
      [digest("b"), { manifests: [{ mediaType: ociIndexType, digest: digest("a"), size: 1 }] }],
    ]);
    const fetched: string[] = [];
    const lying: Fetcher = {
      fetch: async (descriptor, signal) => {
        fetched.push(descriptor.digest);
        return await repository.fetch(repository.manifest(bodies.get(descriptor.digest)!), signal);
      },
    };
    expect(digestsOf(await visits(lying, { mediaType: ociIndexType, digest: digest("a"), size: 1 }))).toEqual([
      digest("a"),
      digest("b"),
    ]);
    expect(fetched).toEqual([digest("a"), digest("b")]);
  });
});

describe("limits of the walk", () => {
  it("lets eight nested indexes in, and no ninth", async () => {
    const repository = new MemoryRepository();
    expect(await visits(repository, chain(repository, 9))).toHaveLength(10);
    expect(await failure(visits(repository, chain(repository, 10)))).toBe("IndexTooDeep");
  });

  it.each([
    { what: "manifests", make: (repository: MemoryRepository, n: number) => manifest(repository, String(n)) },
    {
      what: "indexes",
      make: (repository: MemoryRepository, n: number) =>
        repository.manifest({ manifests: [], annotations: { n: String(n) } }),
    },
  ])("counts $what before it fetches any of them", async ({ make }) => {
    const repository = new MemoryRepository();
    const children = Array.from({ length: 6 }, (_, n) => make(repository, n));
    const few = { limits: { ...limits, maxManifests: 5 } };
    expect(await visits(repository, repository.manifest({ manifests: children.slice(0, 5) }), few)).toHaveLength(6);
    repository.fetched.length = 0;
    const root = repository.manifest({ manifests: children });
    expect(await failure(visits(repository, root, few))).toBe("TooManyManifests");
    expect(repository.fetched).toEqual([root.digest]);
  });

  it("counts over all indexes together, each digest once", async () => {
    const repository = new MemoryRepository();
    const children = Array.from({ length: 6 }, (_, n) => manifest(repository, String(n)));
    const halves = (n: number) =>
      [children.slice(0, 3), children.slice(3 - n)].map((manifests) => repository.manifest({ manifests }));
    const few = { limits: { ...limits, maxManifests: 5 } };
    expect(await failure(visits(repository, repository.manifest({ manifests: halves(0) }), few))).toBe(
      "TooManyManifests",
    );
    const repeated = repository.manifest({ manifests: [...children.slice(0, 5), ...children.slice(0, 5)] });
    expect(await visits(repository, repeated, few)).toHaveLength(6);
  });

  it("refuses a manifest that is too large without fetching it", async () => {
    const repository = new MemoryRepository();
    const root = { ...manifest(repository, "a"), size: limits.maxManifestBytes + 1 };
    expect(await failure(visits(repository, root))).toBe("ManifestTooLarge");
    expect(repository.fetched).toEqual([]);
  });

  it("refuses manifests that are too large together, and holds no more of them", async () => {
    const repository = new MemoryRepository();
    const filler = "x".repeat(limits.maxWalkBytes / 4);
    const children = Array.from({ length: 60 }, (_, n) => manifest(repository, String(n), { annotations: { filler } }));
    const root = repository.manifest({ manifests: children });
    await expect(visits(repository, root)).rejects.toMatchObject({ code: "ManifestTooLarge" });
    expect(repository.fetched.length).toBeLessThanOrEqual(4);
    const few = repository.manifest({ manifests: children.slice(0, 3) });
    expect(await visits(repository, few)).toHaveLength(4);
    const refuse = ({ digest }: Descriptor) =>
      children.indexOf(children.find((c) => c.digest === digest)!) > 2 ? "no" : undefined;
    expect(await visits(repository, root, { refuse })).toHaveLength(61);
  });

  it("fetches at most eight children at once, and yields them in order", async () => {
    const repository = new MemoryRepository();
    const children = Array.from({ length: 30 }, (_, n) => manifest(repository, String(n)));
    const root = repository.manifest({ manifests: children });
    let running = 0;
    let most = 0;
    const slow: Fetcher = {
      fetch: async (descriptor, signal) => {
        most = Math.max(most, ++running);
        // Later children answer sooner.
        await new Promise((done) =>
          setTimeout(done, 8 - (children.findIndex(({ digest }) => digest === descriptor.digest) % 8)),
        );
        running--;
        return await repository.fetch(descriptor, signal);
      },
    };
    expect(digestsOf(await visits(slow, root))).toEqual([root, ...children].map(({ digest }) => digest));
    expect(most).toBe(8);
  });

  it("reports the failure of a child in its place", async () => {
    const repository = new MemoryRepository();
    const good = manifest(repository, "good");
    const bad = repository.put(`sha256:${"0".repeat(64)}`, Buffer.from("{}"), ociManifestType);
    const found: string[] = [];
    const run = async () => {
      for await (const { descriptor } of walk(repository, repository.manifest({ manifests: [good, bad] }), {
        limits,
        signal,
      }))
        found.push(descriptor.digest);
    };
    expect(await failure(run())).toBe("DigestMismatch");
    expect(found.at(-1)).toBe(good.digest);
  });

  it("stops at an abort, and lets go of what is on its way when the caller stops", async () => {
    const repository = new MemoryRepository();
    const children = Array.from({ length: 20 }, (_, n) => manifest(repository, String(n)));
    const root = repository.manifest({ manifests: children });
    const abort = new AbortController();
    const run = async () => {
      for await (const { kind } of walk(repository, root, { limits, signal: abort.signal }))
        if (kind === "manifest") abort.abort();
    };
    expect(await failure(run())).toBe("Aborted");

    const signals: AbortSignal[] = [];
    const watched: Fetcher = {
      fetch: async (descriptor, signal) => (signals.push(signal), await repository.fetch(descriptor, signal)),
    };
    for await (const { kind } of walk(watched, root, { limits, signal })) if (kind === "manifest") break;
    expect(signals.length).toBeLessThan(12);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
  });
});
