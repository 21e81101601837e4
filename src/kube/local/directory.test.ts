import type { ResourceType } from "../../../api/kinds.ts";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { codeOf } from "../../errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import type { KubeClient, KubeObject } from "../client.ts";
import { DirectorySync } from "./directory-sync.ts";
import { openDirectory } from "./directory.ts";
import { MemoryKube } from "./memory.ts";

const repositories: ResourceType = {
  group: "source.strata.dev",
  version: "v1beta1",
  plural: "artifactrepositories",
  kind: "ArtifactRepository",
};
const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret" };

const never = new AbortController().signal;
let dir: string;
let stop: AbortController;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-directory-"));
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await rm(dir, { recursive: true, force: true });
});

const manifest = (name: string, interval = "10m", more = ""): string =>
  `apiVersion: source.strata.dev/v1beta1\nkind: ArtifactRepository\nmetadata: {name: ${name}${more}}\nspec: {url: oci://registry/app, interval: ${interval}}\n`;
const write = async (name: string, text: string): Promise<void> => await writeFile(join(dir, name), text);

/** `name interval` of every object; with a mark where it is being deleted. */
async function shown(kube: KubeClient): Promise<string[]> {
  const { items } = await kube.list<KubeObject & { spec?: { interval: string } }>(repositories, {}, never);
  return items.map(
    ({ metadata, spec }) =>
      `${metadata.namespace}/${metadata.name} ${spec?.interval}${metadata.deletionTimestamp === undefined ? "" : " (going)"}`,
  );
}

describe("DirectorySync", () => {
  function syncOf(): { kube: MemoryKube; problems: string[]; run: () => Promise<string[]>; sync: DirectorySync } {
    const kube = new MemoryKube();
    const problems: string[] = [];
    const sync = new DirectorySync(dir, kube, (problem) => problems.push(problem));
    const run = async (): Promise<string[]> => {
      await sync.run(never);
      return await shown(kube);
    };
    return { kube, problems, run, sync };
  }

  it("follows files that come, change and go", async () => {
    const { run, problems, kube } = syncOf();
    expect(await run()).toEqual([]);
    await write("a.yaml", `${manifest("a")}---\n${manifest("b", "1h", ", namespace: apps")}`);
    expect(await run()).toEqual(["apps/b 1h", "default/a 10m"]);
    const before = await kube.get(repositories, { namespace: "default", name: "a" }, never);
    await write("a.yaml", `# touched\n${manifest("a")}---\n${manifest("b", "2h", ", namespace: apps")}`);
    expect(await run()).toEqual(["apps/b 2h", "default/a 10m"]);
    expect(await kube.get(repositories, { namespace: "default", name: "a" }, never)).toBe(before);
    await write("a.yaml", manifest("a"));
    expect(await run()).toEqual(["default/a 10m"]);
    await rename(join(dir, "a.yaml"), join(dir, "b.yaml"));
    expect(await run()).toEqual(["default/a 10m"]);
    expect((await kube.get<KubeObject>(repositories, { namespace: "default", name: "a" }, never))?.metadata.uid).toBe(
      before?.metadata.uid,
    );
    await rm(join(dir, "b.yaml"));
    expect(await run()).toEqual([]);
    expect(problems).toEqual([]);
  });

  it.each<[string, string]>([
    ["not valid YAML any more", `${manifest("a", "1h")}---\nkind: [\n---\n${manifest("c", "1h")}`],
    [
      "of a wrong version now",
      `${manifest("a", "1h")}---\n${manifest("b").replace("v1beta1", "v9")}---\n${manifest("c", "1h")}`,
    ],
  ])("keeps the last good version of a manifest that is %s", async (_, broken) => {
    const { run, problems } = syncOf();
    await write("a.yaml", `${manifest("a")}---\n${manifest("b")}---\n${manifest("c")}`);
    await run();
    await write("a.yaml", broken);
    expect(await run()).toEqual(["default/a 1h", "default/b 10m", "default/c 1h"]);
    expect(await run()).toHaveLength(3);
    expect(problems).toEqual([expect.stringMatching(/^a\.yaml:\d+: /)]);
    await write("a.yaml", `${manifest("a", "1h")}---\n${manifest("c", "1h")}`);
    expect(await run()).toEqual(["default/a 1h", "default/c 1h"]);
    expect(problems).toHaveLength(1);
  });

  it("keeps the objects of a file that cannot be read", async () => {
    const { run, problems } = syncOf();
    await write("a.yaml", manifest("a"));
    await run();
    await writeFile(join(dir, "a.yaml"), Buffer.from([0xff, 0xfe]));
    expect(await run()).toEqual(["default/a 10m"]);
    expect(problems).toEqual([expect.stringMatching(/^a\.yaml: it cannot be read/)]);
  });

  it("takes the first of two equal objects, and says so once", async () => {
    const { run, problems } = syncOf();
    await write("a.yaml", manifest("a", "1m"));
    await write("b.yaml", manifest("a", "2m"));
    expect(await run()).toEqual(["default/a 1m"]);
    expect(await run()).toEqual(["default/a 1m"]);
    expect(problems).toEqual([
      "b.yaml:1: ArtifactRepository default/a is already in a.yaml:1; this one is passed over",
    ]);
    await rm(join(dir, "a.yaml"));
    expect(await run()).toEqual(["default/a 2m"]);
  });

  it("says what no API server would take", async () => {
    const { run, problems } = syncOf();
    await write("a.yaml", `${manifest("Upper")}---\n${manifest("b", "1h", ", namespace: ../..")}---\n${manifest("c")}`);
    expect(await run()).toEqual(["default/c 10m"]);
    expect(problems).toEqual([
      expect.stringContaining("a.yaml:1: ArtifactRepository default/Upper: metadata.name"),
      expect.stringContaining("a.yaml:6: ArtifactRepository ../../b: metadata.namespace"),
    ]);
  });

  it("keeps what was written to an object, and deletes it only when its finalizers are gone", async () => {
    const { run, kube, sync } = syncOf();
    const key = { namespace: "default", name: "a" };
    await write("a.yaml", manifest("a"));
    await run();
    await kube.patch(repositories, key, { metadata: { finalizers: ["x/y"] } }, { fieldManager: "t" }, never);
    await kube.patch(
      repositories,
      key,
      { status: { observedGeneration: 1 } },
      { fieldManager: "t", subresource: "status" },
      never,
    );
    await write("a.yaml", manifest("a", "1h"));
    await run();
    const changed = await kube.get<KubeObject>(repositories, key, never);
    expect(changed).toMatchObject({
      metadata: { generation: 2, finalizers: ["x/y"] },
      status: { observedGeneration: 1 },
    });
    await rm(join(dir, "a.yaml"));
    expect(await run()).toEqual(["default/a 1h (going)"]);
    // Back before it is gone: it goes first, and is made anew then.
    await write("a.yaml", manifest("a", "2h"));
    expect(await sync.run(never)).toBe("unfinished");
    expect(await shown(kube)).toEqual(["default/a 1h (going)"]);
    await kube.patch(repositories, key, { metadata: { finalizers: null } }, { fieldManager: "t" }, never);
    expect(await sync.run(never)).toBe("finished");
    expect(await shown(kube)).toEqual(["default/a 2h"]);
    expect((await kube.get<KubeObject>(repositories, key, never))?.metadata.uid).not.toBe(changed?.metadata.uid);
  });
});

describe("openDirectory", () => {
  it("has everything at once, and follows changes", async () => {
    await write("a.yaml", manifest("a"));
    await write("s.json", '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"a":"b"}}');
    const problems: string[] = [];
    const { client } = await openDirectory({
      dir,
      onProblem: (problem) => problems.push(problem),
      signal: stop.signal,
    });
    expect(await shown(client)).toEqual(["default/a 10m"]);
    expect(await client.get(secrets, { namespace: "default", name: "s" }, never)).toMatchObject({
      data: { a: "Yg==" },
    });
    await mkdir(join(dir, "sub"));
    await write("sub/b.yaml", manifest("b"));
    await write("a.yaml", manifest("a", "1h"));
    await vi.waitFor(async () => expect(await shown(client)).toEqual(["default/a 1h", "default/b 10m"]), {
      timeout: 5000,
    });
    await write("sub/b.yaml", "kind: [");
    await vi.waitFor(() => expect(problems).toEqual([expect.stringMatching(/^sub\/b\.yaml:1: /)]), { timeout: 5000 });
    await rm(join(dir, "sub"), { recursive: true });
    await vi.waitFor(async () => expect(await shown(client)).toEqual(["default/a 1h"]), { timeout: 5000 });
  });

  it("looks now and then where the system tells nothing", async () => {
    const clock = new FakeClock();
    const problems: string[] = [];
    const { client } = await openDirectory({
      dir,
      onProblem: (problem) => problems.push(problem),
      signal: stop.signal,
      clock,
    });
    await write("a.yaml", manifest("a"));
    await clock.advance(10_000);
    await vi.waitFor(async () => expect(await shown(client)).toEqual(["default/a 10m"]));
    await rename(dir, `${dir}-away`);
    await vi.waitFor(async () => {
      await clock.advance(10_000);
      expect(problems).toContainEqual(expect.stringMatching(/cannot be read: .*ENOENT/));
    });
    expect(await shown(client)).toEqual(["default/a 10m"]);
    await rename(`${dir}-away`, dir);
  });

  it("leaves nothing behind when it is stopped", async () => {
    const clock = new FakeClock();
    await openDirectory({ dir, onProblem: () => {}, signal: stop.signal, clock });
    expect(clock.pending).toBe(1);
    stop.abort();
    expect(clock.pending).toBe(0);
  });

  it.each<[string, () => Promise<unknown>, string]>([
    [
      "a directory that is not there",
      async () => await openDirectory({ dir: join(dir, "none"), onProblem: () => {}, signal: never }),
      "InvalidSpec",
    ],
    [
      "a stop before it is read",
      async () => await openDirectory({ dir, onProblem: () => {}, signal: AbortSignal.abort() }),
      "Aborted",
    ],
  ])("fails for %s", async (_, open, code) => {
    await write("a.yaml", manifest("a"));
    expect(await open().catch(codeOf)).toBe(code);
  });
});
