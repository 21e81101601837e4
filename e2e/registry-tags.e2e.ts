import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { strataJson } from "./commands.ts";
import { pushFixtures } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();

let registry: Registry;
beforeAll(async () => {
  registry = await startRegistry(workspace, { name: "tags" });
  await pushFixtures(registry);
});

const app = (): string => `oci://${registry.host}/flux/app`;

it("lists tags, with the one that a range takes first", async () => {
  const listed = await strataJson<{ taken: string; tags: readonly { tag: string; digest: string }[] }>([
    "list",
    app(),
    "--insecure",
    "--semver",
    "1.x",
  ]);
  expect(listed.taken).toBe("1.1.0");
  expect(listed.tags.slice(0, 2)).toMatchObject([
    { tag: "1.1.0", digest: expect.stringMatching(/^sha256:/) as string, signatures: [] },
    { tag: "1.0.0", verdict: "earlier" },
  ]);
});

it("compares two tags, by the bundle", async () => {
  const { code, stdout } = await strata(["diff", `${app()}:1.0.0`, `${app()}:1.1.0`, "--insecure"]);
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: expect.stringContaining("\n+++ b/deploy/configmap.yaml\n") as string,
  });
  expect(await strata(["diff", `${app()}:1.0.0`, `${app()}:1.0.0`, "--insecure"])).toMatchObject({
    code: 0,
    stdout: "",
  });
});

it("locks a range, and builds what is locked", async () => {
  const file = join(await workspace.directory("locked"), "sources.yaml");
  const spec = { url: app(), interval: "1h", insecure: true, ref: { semver: "1.x" } };
  const object = {
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name: "app" },
    spec,
  };
  await writeFile(file, JSON.stringify(object));
  expect(await strata(["lock", "-f", file])).toMatchObject({ code: 0 });
  const locked = JSON.parse(await readFile(`${file}.lock`, "utf8")) as {
    artifacts: Record<string, { digest: string }>;
  };
  const { code, stdout } = await strata(["build", "-f", file, "--locked", "--dry-run"]);
  expect({ code, stdout }).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(locked.artifacts["default/app"]!.digest) as string,
  });
});
