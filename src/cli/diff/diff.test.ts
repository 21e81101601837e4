import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tarOf } from "../../testing/archives/tar.ts";
import { type CommandResult, runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

const mediaType = "application/vnd.cncf.flux.content.v1.tar+gzip";
const lines = Array.from({ length: 20 }, (_, n) => `line ${n}\n`).join("");
const old: Readonly<Record<string, string>> = {
  "gone.yaml": "a: 1\n",
  "same.yaml": "x\n",
  "text.yaml": lines,
  "binary.bin": "a\0b",
  "large.txt": "a".repeat(1024 * 1024 + 1),
};
const next = {
  "new.yaml": "b: 2\n",
  "same.yaml": "x\n",
  "text.yaml": lines.replace("line 10\n", "line \u001B[31mten\n"),
  "binary.bin": "a\0c",
  "large.txt": "b".repeat(1024 * 1024 + 1),
};

let registry: TestRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-diff-test-"));
  const put = (tag: string, files: Readonly<Record<string, string>>): void => {
    const entries = Object.entries(files).map(([name, content]) => ({ name, content }));
    registry.store.putArtifact("app", { tag, layers: [{ mediaType, bytes: gzipSync(tarOf(...entries)) }] });
  };
  put("1", old);
  put("2", next);
  await mkdir(join(dir, "old", "below"), { recursive: true });
  for (const [name, body] of Object.entries(old)) await writeFile(join(dir, "old", name), body);
});
afterAll(async () => {
  await registry.close();
  await rm(dir, { recursive: true });
});

const at = (tag: string): string => `oci://${registry.host}/app:${tag}`;
const run = async (...args: string[]): Promise<CommandResult> => await runStrata(["diff", ...args, "--insecure"]);

it("says in flags how to choose where there is a choice", async () => {
  const layers = ["a", "b"].map((name) => ({ mediaType: `text/${name}`, bytes: Buffer.from(name) }));
  registry.store.putArtifact("choice", { tag: "1", layers });
  const { code, stderr } = await run(at("1"), `oci://${registry.host}/choice:1`);
  expect(code).toBe(2);
  expect(stderr).toMatch(/\nas flags: --operation Copy --media-type text\/a\n$/);
  expect(stderr).not.toMatch(/mediaType:|Selector/);
});

describe("strata diff", () => {
  it("shows what differs as diff does, and ends with 1", async () => {
    const { code, stdout, stderr } = await run(at("1"), at("2"));
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toContain(
      "diff a/gone.yaml b/gone.yaml\ndeleted file mode 0644\n--- a/gone.yaml\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a: 1\n",
    );
    expect(stdout).toContain("new file mode 0644\n--- /dev/null\n+++ b/new.yaml\n@@ -0,0 +1,1 @@\n+b: 2\n");
    expect(stdout).toContain(" line 9\n-line 10\n+line \\u{1b}[31mten\n line 11\n");
    expect(stdout).toContain("content differs and is not shown (binary): 3 bytes before, 3 after");
    expect(stdout).toContain("content differs and is not shown (too large): 1048577 bytes before, 1048577 after");
    expect(stdout).not.toContain("same.yaml");
    expect([...stdout.matchAll(/^diff a\/(\S+)/gm)].map(([, path]) => path)).toEqual([
      "binary.bin",
      "gone.yaml",
      "large.txt",
      "new.yaml",
      "text.yaml",
    ]);
  });

  it("compares with a directory, and ends with 0 where all is equal", async () => {
    expect(await run(at("1"), join(dir, "old"))).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(await run(join(dir, "old"), at("1"))).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  it("tells modes and symlinks apart", async () => {
    await mkdir(join(dir, "other"));
    for (const [name, body] of Object.entries(old)) await writeFile(join(dir, "other", name), body);
    await chmod(join(dir, "other", "same.yaml"), 0o755);
    await rm(join(dir, "other", "gone.yaml"));
    await symlink("/etc/passwd", join(dir, "other", "gone.yaml"));
    const { code, stdout } = await run(at("1"), join(dir, "other"));
    expect(code).toBe(1);
    expect(stdout).toBe(
      "diff a/gone.yaml b/gone.yaml\nold file mode 0644\nnew symlink\ncontent differs and is not shown (not a file): 5 bytes before, 0 after\n" +
        "diff a/same.yaml b/same.yaml\nold mode 0644\nnew mode 0755\n",
    );
  });

  it("has a form for programs", async () => {
    const { code, stdout } = await run(at("1"), at("2"), "--output", "json");
    expect(code).toBe(1);
    const document = JSON.parse(stdout) as { changes: unknown[] };
    expect(document).toMatchObject({ equal: false, a: { name: at("1"), digest: expect.stringMatching(/^sha256:/) } });
    expect(document.changes[0]).toMatchObject({ path: "binary.bin", change: "changed", omitted: "binary" });
    expect(document.changes[1]).toMatchObject({
      path: "gone.yaml",
      change: "removed",
      before: { mode: "0644" },
      after: null,
    });
  });

  it("compares what two manifests select", async () => {
    const write = async (tag: string): Promise<string> => {
      const spec = { url: `oci://${registry.host}/app`, interval: "1h", insecure: true, ref: { tag } };
      const object = {
        apiVersion: "source.strata.dev/v1beta1",
        kind: "ArtifactRepository",
        metadata: { name: "app" },
        spec,
      };
      await writeFile(join(dir, `${tag}.yaml`), JSON.stringify(object));
      return join(dir, `${tag}.yaml`);
    };
    const paths = [await write("1"), await write("2")] as const;
    expect((await runStrata(["diff", ...paths])).code).toBe(1);
    expect((await runStrata(["diff", paths[0], paths[0]])).code).toBe(0);
  });

  it("ends with 2 for whatever is not an answer", async () => {
    expect(await run(at("1"), at("missing"))).toMatchObject({ code: 2, stdout: "" });
    const json = await run(at("1"), at("missing"), "-o", "json");
    expect({ code: json.code, ...(JSON.parse(json.stdout) as object) }).toMatchObject({
      code: 2,
      error: { code: "NotFound" },
    });
    expect((await run(at("1"))).code).toBe(2);
    expect((await run(at("1"), join(dir, "nowhere"))).stderr).toContain("neither a reference");
    expect((await run(join(dir, "old"), join(dir, "old"), "--offset", "0")).stderr).toContain(
      "--offset is about references",
    );
  });
});
