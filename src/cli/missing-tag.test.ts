import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry();
  for (const tag of ["v1.2.0", "v1.2.1", "main"]) registry.store.putArtifact("app", { tag });
});
afterAll(() => registry.close());

const commands: Readonly<Record<string, (reference: string) => string[]>> = {
  build: (reference) => ["build", reference, "--dry-run"],
  tree: (reference) => ["tree", reference],
  init: (reference) => ["init", reference],
  tag: (reference) => ["tag", reference, "stable"],
  copy: (reference) => ["copy", reference, `oci://${registry.host}/other`],
};

describe.each(Object.entries(commands))("strata %s of a tag that is not there", (_, argsOf) => {
  it.each<[string, RegExp]>([
    [":1.2.0", /does not have the tag 1\.2\.0; near it are v1\.2\.0, v1\.2\.1 \(/],
    ["", /does not have the tag latest, which is taken where none is named; there are, among others, main, v1/],
    [":nightly-x86", /does not have the tag nightly-x86; there are, among others, main, v1/],
  ])("says which are, by one list: %j", async (tag, message) => {
    const before = registry.requests.length;
    const { code, stderr } = await runStrata([...argsOf(`oci://${registry.host}/app${tag}`), "--insecure"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    const lists = registry.requests.slice(before).filter(({ path }) => path.includes("/tags/list"));
    expect(lists).toHaveLength(1);
  });
});

describe.each(Object.entries(commands))("strata %s of what is not there", (_, argsOf) => {
  it.each<[string, () => string, RegExp]>([
    [
      "a repository",
      () => `oci://${registry.host}/ap:1.2.0`,
      /there is no repository \S+\/ap, or none that is shown to who asks \(/,
    ],
    [
      "a layout",
      () => "oci-layout://nowhere:1.2.0",
      /^error: oci-layout:\/\/nowhere is not an image layout: the file oci-layout is not there \[/,
    ],
  ])("says that %s is not", async (_, reference, message) => {
    const { code, stderr } = await runStrata([...argsOf(reference()), "--insecure"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(message)]);
    expect(stderr).not.toContain("does not have the tag");
  });
});

it.each(["json", "yaml", "name"])("takes -o %s for no file", async (place) => {
  for (const command of ["build", "init"]) {
    const { code, stderr } = await runStrata([command, "oci://127.0.0.1:1/app:1", "-o", place]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`or -o ./${place} if you mean it`)]);
  }
});

it("speaks of flags where a scheme is not a reference's", async () => {
  const { code, stderr } = await runStrata(["tree", `http://${registry.host}/app`]);
  expect([code, stderr]).toEqual([2, expect.stringContaining("plain HTTP is asked for by --insecure")]);
});
