import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

let registry: TestRegistry;
let dir: string;
let file: string;
beforeAll(async () => {
  registry = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-lock-test-"));
  file = join(dir, "sources.yaml");
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

const put = (tag: string, text: string): string =>
  registry.store.putArtifact("app", { tag, layers: [{ mediaType: "text/plain", bytes: Buffer.from(text) }] }).digest;

const object = (name: string, ref: object) => ({
  apiVersion: "source.strata.dev/v1beta1",
  kind: "ArtifactRepository",
  metadata: { name },
  spec: { url: `oci://${registry.host}/app`, interval: "1h", insecure: true, ref },
});
const write = async (...objects: object[]): Promise<void> =>
  await writeFile(file, objects.map((one) => `---\n${JSON.stringify(one)}\n`).join(""));
const build = async () => await runStrata(["build", "-f", file, "--locked", "--dry-run", "--output", "json"]);

it("writes the digest of each object, and refuses a lock that is about something else", async () => {
  const [one, two] = [put("1.0.0", "a"), put("1.1.0", "b")];
  await write(object("tag", { tag: "1.0.0" }), object("range", { semver: "1.x" }));
  expect(await runStrata(["lock", "-f", file])).toMatchObject({ code: 0, stdout: "" });
  const { artifacts } = JSON.parse(await readFile(`${file}.lock`, "utf8")) as { artifacts: object };
  expect(artifacts).toMatchObject({
    "default/range": { tag: "1.1.0", digest: two, ref: { semver: "1.x" } },
    "default/tag": { tag: "1.0.0", digest: one },
  });
  expect((await runStrata(["lock", "-f", file, "--check"])).code).toBe(0);
  await write(object("tag", { tag: "1.1.0" }), object("new", {}));
  const { code, stderr } = await runStrata(["lock", "-f", file, "--check"]);
  expect(code).toBe(1);
  for (const line of [
    "default/tag was locked with another ref",
    "default/new is not locked",
    "default/range is locked",
  ])
    expect(stderr).toContain(line);
});

it("builds what is locked, whatever has become of the tag", async () => {
  const digest = put("moving", "before");
  await write(object("app", { tag: "moving" }));
  expect((await runStrata(["lock", "-f", file])).code).toBe(0);
  put("moving", "after");
  expect((await build()).stdout).toContain(digest);
  await write(object("app", { tag: "1.0.0" }));
  expect(await build()).toMatchObject({ code: 1, stdout: expect.stringContaining("was locked with another ref") });
});

it("leaves the lock alone where something cannot be resolved", async () => {
  await writeFile(`${file}.lock`, "as it was");
  await write(object("app", { tag: "missing" }));
  expect((await runStrata(["lock", "-f", file])).code).toBe(1);
  expect(await readFile(`${file}.lock`, "utf8")).toBe("as it was");
  expect(await runStrata(["lock", "-f", file, "--check"])).toMatchObject({ code: 1 });
  expect((await runStrata(["lock"])).code).toBe(2);
  expect((await runStrata(["build", "-f", "-", "--locked", "--dry-run"])).code).toBe(2);
});

it("says that there is no lock, to who checks and to who builds", async () => {
  await rm(`${file}.lock`, { force: true });
  await write(object("app", { tag: "1.0.0" }));
  const checked = await runStrata(["lock", "-f", file, "--check"]);
  expect([checked.code, checked.stderr]).toEqual([
    1,
    expect.stringContaining(`there is no lock ${file}.lock; strata lock writes it`),
  ]);
  expect((await build()).stdout).toContain("there is no lock");
});
