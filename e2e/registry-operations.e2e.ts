import { afterAll, beforeAll, describe, it } from "vitest";
import { testClient, testRepository } from "../src/testing/registry/client.ts";
import { type Backdoor, chunkBytes, operations, type Stage } from "../src/testing/registry/operations.ts";
import { distribution2 } from "../src/testing/registry/vendors/distribution-2.ts";
import { distribution3 } from "../src/testing/registry/vendors/distribution-3.ts";
import type { Vendor } from "../src/testing/registry/vendors/vendor.ts";
import { findBinary, findOptional } from "./binaries.ts";
import { startCuttingProxy, type CuttingProxy } from "./proxy.ts";
import { manifestDigest, pushArtifact, pushBlob, pushIndex, tagManifest } from "./push.ts";
import { account, type Registry, startRegistry } from "./registry.ts";
import { startTokenServer } from "./token-server.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const client = testClient({ uploadChunkBytes: chunkBytes });
afterAll(() => client.close());

const credentials = { resolve: () => Promise.resolve({ kind: "basic", ...account } as const) };

interface Server {
  readonly vendor: Vendor;
  readonly find: () => Promise<string | undefined>;
  /** Below what the client asks for, so that it is refused and asks again. */
  readonly maxTags?: number;
}

const servers: readonly Server[] = [
  { vendor: distribution3, find: async () => await findBinary("registry"), maxTags: 50 },
  // Debian's package of that name; skipped where it is not installed.
  { vendor: distribution2, find: async () => await findOptional("docker-registry") },
];

const cases = servers.flatMap(({ vendor, ...server }) => [
  { name: `${vendor.name}, token`, ...server, auth: "token", deletes: true, can: vendor.can },
  { name: `${vendor.name}, password, deletes off`, ...server, auth: "htpasswd", deletes: false, can: vendor.can },
]);

/** Another registry without a password serves the same files, so that a test can see to what is in them. */
function backdoorOf(open: Registry, proxy: CuttingProxy, prefix: string): Backdoor {
  const at = (repository: string): string => `${prefix}/${repository}`;
  return {
    putArtifact: async (repository, { tag, layers = [], ...spec }) =>
      await pushArtifact(open, at(repository), tag, { ...spec, layers }),
    putIndex: async (repository, manifests, tag) => await pushIndex(open, at(repository), tag, { manifests }),
    putBlob: async (repository, bytes) => await pushBlob(open, at(repository), bytes),
    tag: async (repository, root, tags) => await tagManifest(open, at(repository), root, tags),
    blobSize: async (repository, digest) => {
      const response = await fetch(`${open.url}/v2/${at(repository)}/blobs/${digest}`);
      return response.ok ? (await response.arrayBuffer()).byteLength : undefined;
    },
    digestOf: async (repository, reference) => await manifestDigest(open, at(repository), reference),
    cutDownload: (bytes) => proxy.cutOnceAfter(bytes),
  };
}

describe.each(cases)("$name", async ({ name, find, maxTags, auth, deletes, can }) => {
  const command = await find();
  let open: Registry;
  let proxy: CuttingProxy;
  let stages = 0;

  beforeAll(async () => {
    if (command === undefined) return;
    const options = { command, ...(maxTags !== undefined && { maxTags }) };
    open = await startRegistry(workspace, { ...options, name: `open ${name}` });
    const closed = await startRegistry(workspace, {
      ...options,
      name,
      storage: open.storage,
      delete: deletes,
      auth: auth === "token" ? await startTokenServer(workspace, account) : "htpasswd",
    });
    proxy = await startCuttingProxy(workspace, closed.port);
  });

  async function stage(): Promise<Stage> {
    const prefix = `stage-${stages++}`;
    const backdoor = backdoorOf(open, proxy, prefix);
    const root = await backdoor.putArtifact("team/app", { tag: "v1", artifactType: "application/x" });
    const repository = testRepository(proxy, `${prefix}/team/app`, { client, credentials });
    const mounting: Stage["repository"] = {
      ...repository,
      mount: (blob, from, signal) => repository.mount(blob, `${prefix}/${from}`, signal),
    };
    return { can: { ...can, deletes: deletes ? "yes" : "no" }, backdoor, repository: mounting, root };
  }

  it.skipIf(command === undefined).each(Object.entries(operations))("%s", async (_, run) => await run(await stage()));
});
