import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { afterAll, describe, expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import type { WritableRepository } from "../oci/content.ts";
import { readReferrer } from "../oci/referrer.ts";
import type { Descriptor } from "../oci/types.ts";
import { walk } from "../oci/walk.ts";
import { defaultLimits } from "../config.ts";
import { testClient, testRepository } from "../testing/registry/client.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import type { Vendor } from "../testing/registry/vendors/vendor.ts";
import { vendors } from "../testing/registry/vendors/zoo.ts";

const signal = new AbortController().signal;
const retry = { attempts: 6, baseMs: 1, maxMs: 3, maxWaitMs: 1000 };
const client = testClient({ uploadChunkBytes: 200_000, retry });
afterAll(() => client.close());

interface Stage {
  readonly vendor: Vendor;
  readonly registry: TestRegistry;
  readonly repository: WritableRepository;
  readonly root: Descriptor;
}

const credentials = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" } as const) };
const open = (bytes: Buffer) => (offset: number) => Readable.from([bytes.subarray(offset)], { objectMode: false });
const describeBytes = (bytes: Buffer): Descriptor => ({
  mediaType: "application/octet-stream",
  digest: sha256Of(bytes),
  size: bytes.length,
});
const read = async ({ repository }: Stage, descriptor: Descriptor): Promise<Buffer> =>
  Buffer.concat((await (await repository.fetch(descriptor, signal)).toArray()) as Buffer[]);

async function pushed({ repository, registry }: Stage, size: number): Promise<void> {
  const bytes = randomBytes(size);
  await repository.pushBlob(describeBytes(bytes), open(bytes), signal);
  expect(registry.store.repository("team/app").blobs.get(sha256Of(bytes))?.size).toBe(size);
}

/** Every operation of the client; each gets a registry of its own. */
const operations: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  "resolve by tag": async ({ repository, root }) => {
    expect((await repository.resolve("v1", signal)).digest).toBe(root.digest);
  },
  "resolve by digest": async ({ repository, root }) => {
    expect((await repository.resolve(root.digest, signal)).digest).toBe(root.digest);
    expect(await repository.resolve(root.digest, signal, "read")).toEqual(root);
  },
  "check for news": async ({ repository, registry, root }) => {
    for (let time = 0; time < 2; time++) expect((await repository.resolve("v1", signal)).digest).toBe(root.digest);
    const other = registry.store.putArtifact("team/app", { tag: "v1", annotations: { a: "b" } });
    expect((await repository.resolve("v1", signal)).digest).toBe(other.digest);
  },
  walk: async ({ repository, registry, root }) => {
    const index = registry.store.putIndex("team/app", [root], { tag: "all" });
    const kinds: string[] = [];
    for await (const { kind } of walk(repository, index, { limits: defaultLimits, signal })) kinds.push(kind);
    expect(kinds).toEqual(["index", "manifest"]);
  },
  "pull, and resume": async (stage) => {
    const bytes = randomBytes(500_000);
    const blob = stage.registry.store.putBlob("team/app", bytes);
    stage.registry.faults.add({ method: "GET", path: /blobs/, after: 2, cutAfterBytes: 100_000 });
    for (let time = 0; time < 2; time++) expect(await read(stage, blob)).toEqual(bytes);
  },
  list: async ({ repository, registry, root }) => {
    const { tags } = registry.store.repository("team/app");
    for (let at = 0; at < 120; at++) tags.set(`t${String(at).padStart(3, "0")}`, root.digest);
    const found: string[] = [];
    for await (const page of repository.tags(signal)) found.push(...page);
    expect(new Set(found)).toEqual(new Set(tags.keys()));
  },
  referrers: async ({ repository, registry, root, vendor }) => {
    const signature = registry.store.putArtifact("team/app", { artifactType: "application/sig", subject: root });
    if (vendor.can.referrers === "fallback tag" && vendor.name !== "GitLab")
      registry.store.putIndex("team/app", [signature], { tag: root.digest.replace(":", "-") });
    const listed = await repository.referrers(root.digest, signal);
    expect(listed.map(({ digest }) => digest)).toEqual(vendor.name === "GitLab" ? [] : [signature.digest]);
    for (const entry of listed)
      expect(await readReferrer(repository, entry, defaultLimits, signal)).toMatchObject({
        ...signature,
        artifactType: "application/sig",
      });
  },
  "push in one": async (stage) => await pushed(stage, 100_000),
  "push in chunks": async (stage) => await pushed(stage, 700_000),
  mount: async ({ repository, registry }) => {
    const blob = registry.store.putBlob("team/other", Buffer.from("mounted"));
    expect(await repository.mount(blob, "team/other", signal)).toBe(true);
    expect(registry.store.repository("team/app").blobs.has(blob.digest)).toBe(true);
  },
  alias: async (stage) => {
    const { repository, registry, root } = stage;
    await repository.pushManifest(root, await read(stage, root), "stable", signal);
    expect(registry.store.manifest("team/app", "stable")?.digest).toBe(root.digest);
  },
  "delete, or say that it cannot": async ({ repository, registry, root, vendor }) => {
    const work = repository.deleteManifest(root.digest, signal);
    if (vendor.can.deletes === "yes") await work;
    else await expect(work).rejects.toMatchObject({ code: "RegistryUnsupported" });
    expect(registry.store.manifest("team/app", "v1") === undefined).toBe(vendor.can.deletes === "yes");
  },
};

async function stage(vendor: Vendor): Promise<Stage> {
  const kind = vendor.can.auth === "Basic" ? "basic" : "token";
  const registry = await startRegistry({ ...vendor.options, auth: { kind, accounts: { ann: { password: "pw" } } } });
  const root = registry.store.putArtifact("team/app", { tag: "v1", artifactType: "application/x" });
  const guard = vendor.guard?.(registry);
  if (guard) registry.faults.guard = guard;
  return { vendor, registry, root, repository: testRepository(registry, "team/app", { client, credentials }) };
}

const outcomes = new Map<string, string>();

describe.each(vendors.map((vendor) => [vendor.name, vendor] as const))("%s", (name, vendor) => {
  it.each(Object.entries(operations))("%s", async (operation, run) => {
    outcomes.set(`${name} ${operation}`, "FAILS");
    const set = await stage(vendor);
    try {
      await run(set);
      outcomes.set(`${name} ${operation}`, "ok");
    } finally {
      await set.registry.close();
    }
  });
});

afterAll(() => {
  const names = Object.keys(operations);
  const rows = vendors.map(({ name }) =>
    [
      name.padEnd(16),
      ...names.map((operation) => (outcomes.get(`${name} ${operation}`) ?? "-").padEnd(operation.length)),
    ].join(" | "),
  );
  process.stdout.write(`${["".padEnd(16), ...names].join(" | ")}\n${rows.join("\n")}\n`);
});
