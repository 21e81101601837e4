import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm, truncate } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { download, filesOfTarball } from "./artifact.ts";
import { startPlane } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { condition, isReady } from "./kube.ts";
import { digestOf, pushArtifact } from "./push.ts";
import type { Registry } from "./registry.ts";
import { startRegistry } from "./registry.ts";
import {
  artifactRepository,
  isCondition,
  namespace,
  publishedArtifact,
  readyRepository,
  repositoryRef,
} from "./repositories.ts";
import { startStrata, type Strata } from "./strata.ts";
import { eventually, throughout } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const MiB = 1024 * 1024;
let plane: ControlPlane;
let registry: Registry;
let controller: Strata;

beforeAll(async () => {
  [plane, registry] = await Promise.all([startPlane(workspace), startRegistry(workspace)]);
  controller = await startStrata(workspace, plane, { flags: ["--concurrent=8", "--log-level=info"] });
});

/** What was pushed last: its manifest, and the digest of the one file in it. */
interface Pushed {
  readonly manifest: string;
  readonly file: string;
}

async function push(path: string, size = 128 * 1024): Promise<Pushed> {
  const bytes = randomBytes(size);
  const layers = [
    { mediaType: "application/octet-stream", bytes, annotations: { "org.opencontainers.image.title": "data.bin" } },
  ];
  const manifest = (
    await pushArtifact(registry, path, "1.0.0", { artifactType: "application/vnd.example.data", layers })
  ).digest;
  return { manifest, file: digestOf(bytes) };
}

async function create(name: string, path: string, interval = "1s"): Promise<void> {
  await plane.admin.create(artifactRepository(name, { registry, path }, { ref: { tag: "1.0.0" }, interval }));
}

/** Ready, published and served with the content that was pushed last. */
async function settled(name: string, { manifest, file }: Pushed, timeoutMs?: number): Promise<void> {
  await plane.admin.waitFor(
    repositoryRef(name),
    `ready with ${manifest}`,
    (object) =>
      isReady(object) &&
      object.status?.["upstream"]?.digest === manifest &&
      condition(object, "Reconciling") === undefined,
    timeoutMs,
  );
  const files = await filesOfTarball(await download(await publishedArtifact(plane, name)));
  expect(files).toEqual({ "data.bin": file.slice("sha256:".length) });
}

/** Everything below the storage, as paths. */
async function stored(): Promise<readonly string[]> {
  const entries = await readdir(controller.storage, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Files are named by their digest: a torn one shows. */
async function expectWholeFiles(): Promise<void> {
  for (const path of await stored()) {
    const [, hex] = /^([0-9a-f]{64})\.tar\.gz$/.exec(basename(path)) ?? [];
    if (hex !== undefined)
      expect(
        createHash("sha256")
          .update(await readFile(path))
          .digest("hex"),
        path,
      ).toBe(hex);
  }
}

describe("a disk that is full", () => {
  it("is said, the artifact stays served, and room for it is enough to recover", async () => {
    const first = await push("disk", 64 * 1024);
    await create("disk", "disk");
    await settled("disk", first);
    // No file of the controller may become larger than this, which ends in the same place as a full disk.
    const limit = async (bytes: number | "unlimited") =>
      await promisify(execFile)("prlimit", [`--pid=${controller.server.pid}`, `--fsize=${bytes}:unlimited`]);
    await limit(4 * MiB);
    const second = await push("disk", 8 * MiB);
    await plane.admin.waitFor(
      repositoryRef("disk"),
      "storage failed",
      (object) => isCondition(object, "StorageOperationFailed", "True") && isCondition(object, "Ready", "False"),
    );
    await download(await publishedArtifact(plane, "disk"));
    expect(
      (await stored()).filter(
        (path) => !path.startsWith(join(controller.storage, ".scratch")) && basename(path).endsWith(".tar.gz"),
      ),
    ).toHaveLength(1);
    await limit("unlimited");
    await settled("disk", second);
    await plane.admin.delete(repositoryRef("disk"));
  });
});

describe("a registry that is down", () => {
  it("is said, the artifact stays served, and nobody need help it recover", async () => {
    await push("down");
    await create("down", "down");
    await readyRepository(plane, "down");
    const { port, storage } = registry;
    await registry.stop();
    const failed = await plane.admin.waitFor(
      repositoryRef("down"),
      "fetching failed",
      (object) => isCondition(object, "FetchFailed", "True") && isCondition(object, "Ready", "False"),
    );
    expect(failed).toMatchObject({ status: { artifact: {} } });
    expect(condition(failed, "ArtifactInStorage")?.status).toBe("True");
    await throughout(
      "it is served",
      async () => (await download(await publishedArtifact(plane, "down"))).length > 0,
      3000,
      500,
    );
    registry = await startRegistry(workspace, { name: "registry-again", port, storage });
    await settled("down", await push("down"), 20_000);
    await plane.admin.delete(repositoryRef("down"));
  });
});

describe("a storage that has lost a file, and torn another", () => {
  it("is set right at the next start, and what is whole asks upstream in its time", async () => {
    const [lost, torn, whole] = [await push("lost"), await push("torn"), await push("whole")];
    for (const name of ["lost", "torn", "whole"]) await create(name, name, "1000h");
    await settled("whole", whole);
    await settled("lost", lost);
    await settled("torn", torn);
    expect(await controller.server.stop()).toBe(0);
    for (const path of await stored()) {
      if (path.includes("/lost/")) await rm(path);
      if (path.includes("/torn/") && path.endsWith(".tar.gz")) await truncate(path, 1000);
    }
    const asked = (await registry.requests()).length;
    controller = await controller.restart();
    for (const [name, pushed] of [
      ["whole", whole],
      ["lost", lost],
      ["torn", torn],
    ] as const) {
      await eventually(`${name} to be served`, async () => {
        await settled(name, pushed, 100);
        return true;
      });
    }
    const paths = (await registry.requests()).slice(asked).map(({ path }) => path.split("/")[2]);
    expect(new Set(paths)).toEqual(new Set(["lost", "torn"]));
    for (const name of ["lost", "torn", "whole"]) await plane.admin.delete(repositoryRef(name));
  });
});

describe("an API server that is down", () => {
  it("holds nothing up once it is back", async () => {
    const names = Array.from({ length: 8 }, (_, at) => `away-${at}`);
    await Promise.all(
      names.map(async (name) => {
        await push(name);
        await create(name, name);
      }),
    );
    for (const name of names) await readyRepository(plane, name);
    const artifacts = await Promise.all(names.map(async (name) => await publishedArtifact(plane, name)));
    await plane.stopApi();
    const pushed = await Promise.all(names.map(async (name) => ({ name, last: await push(name) })));
    await throughout(
      "everything is served",
      async () => (await Promise.all(artifacts.map(download))).length === names.length,
      20_000,
      2000,
    );
    await plane.startApi();
    expect(controller.server.running()).toBe(true);
    const fresh = await push("fresh");
    await create("fresh", "fresh");
    for (const { name, last } of [...pushed, { name: "fresh", last: fresh }]) await settled(name, last, 45_000);
    await Promise.all([...names, "fresh"].map(async (name) => await plane.admin.delete(repositoryRef(name))));
  }, 150_000);
});

const kills = 50;
const loaded = Array.from({ length: 16 }, (_, at) => `load-${at}`);
const lastPushed = new Map<string, Pushed>();

describe("a controller that is killed at any moment", () => {
  it(`leaves no torn file, loses no artifact and no object, ${kills} times under load`, async () => {
    for (const name of loaded) {
      lastPushed.set(name, await push(name));
      await create(name, name);
    }
    for (const name of loaded) await readyRepository(plane, name);
    const load = new AbortController();
    const pushing = pushForEver(load.signal);
    for (let kill = 0; kill < kills; kill++) {
      await churn(kill);
      // From the middle of the first reconciles to the quiet after them.
      await sleep(Math.random() * 600);
      await controller.server.kill();
      await expectWholeFiles();
      controller = await controller.restart();
      await eventually("everything to be served", everythingServed, 10_000);
    }
    load.abort();
    await pushing;
    for (const name of loaded) await settled(name, lastPushed.get(name)!);
    await expectNothingLeft();
  }, 180_000);
});

async function pushForEver(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const name = loaded[Math.floor(Math.random() * loaded.length)]!;
    lastPushed.set(name, await push(name));
    await sleep(20);
  }
}

/** One object comes and one goes. */
async function churn(round: number): Promise<void> {
  await create(`churn-${round}`, loaded[0]!);
  if (round > 1) await plane.admin.delete(repositoryRef(`churn-${round - 2}`));
}

/** What consumers are told they can have, they get. */
async function everythingServed(): Promise<boolean> {
  const artifacts = await Promise.all(loaded.map(async (name) => await publishedArtifact(plane, name)));
  return (await Promise.all(artifacts.map(download))).every(({ length }) => length > 0);
}

async function expectNothingLeft(): Promise<void> {
  for (const round of [kills - 2, kills - 1]) await plane.admin.delete(repositoryRef(`churn-${round}`));
  const remaining = async (kind: "ArtifactRepository" | "ExternalArtifact") =>
    (await plane.admin.list(kind, namespace)).map(({ metadata }) => metadata.name).sort();
  for (const kind of ["ArtifactRepository", "ExternalArtifact"] as const)
    await expect.poll(async () => await remaining(kind), { timeout: 15_000 }).toEqual([...loaded].sort());
  const directory = join(controller.storage, "artifactrepository", namespace);
  expect((await readdir(directory)).sort()).toEqual([...loaded].sort());
  await eventually("the end of all scratch", async () =>
    (await stored()).every((path) => path.startsWith(directory) || basename(path) === ".leader"),
  );
}
