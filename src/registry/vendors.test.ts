import { afterAll, describe, it } from "vitest";
import { testClient, testRepository } from "../testing/registry/client.ts";
import { type Backdoor, chunkBytes, operations, type Stage } from "../testing/registry/operations.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import type { Vendor } from "../testing/registry/vendors/vendor.ts";
import { vendors } from "../testing/registry/vendors/zoo.ts";

const retry = { attempts: 6, baseMs: 1, maxMs: 3, maxWaitMs: 1000 };
const client = testClient({ uploadChunkBytes: chunkBytes, retry });
afterAll(() => client.close());

const credentials = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" } as const) };

function backdoorOf({ store, faults }: TestRegistry): Backdoor {
  return {
    putArtifact: async (repository, spec) => store.putArtifact(repository, spec),
    putIndex: async (repository, manifests, tag) => store.putIndex(repository, manifests, { tag }),
    putBlob: async (repository, bytes) => store.putBlob(repository, bytes),
    tag: async (repository, root, tags) => {
      for (const tag of tags) store.repository(repository).tags.set(tag, root.digest);
    },
    blobSize: async (repository, digest) => store.repository(repository).blobs.get(digest)?.size,
    digestOf: async (repository, reference) => store.manifest(repository, reference)?.digest,
    // The first look of a stranger and a failure of the zoo come before it.
    cutDownload: (cutAfterBytes) => faults.add({ method: "GET", path: /blobs/, after: 2, cutAfterBytes }),
  };
}

async function stage(vendor: Vendor): Promise<Stage & { readonly registry: TestRegistry }> {
  const kind = vendor.can.auth === "Basic" ? "basic" : "token";
  const registry = await startRegistry({ ...vendor.options, auth: { kind, accounts: { ann: { password: "pw" } } } });
  const root = registry.store.putArtifact("team/app", { tag: "v1", artifactType: "application/x" });
  const guard = vendor.guard?.(registry);
  if (guard) registry.faults.guard = guard;
  const repository = testRepository(registry, "team/app", { client, credentials });
  return { can: vendor.can, backdoor: backdoorOf(registry), registry, root, repository };
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
