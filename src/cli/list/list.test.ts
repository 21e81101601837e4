import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CommandResult, runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  const created = (date: string) => ({ "org.opencontainers.image.created": date });
  registry.store.putArtifact("app", { tag: "1.0.0", annotations: created("2026-01-02T03:04:05+01:00") });
  const config = {
    mediaType: "application/vnd.oci.image.config.v1+json",
    bytes: Buffer.from('{"created":"2026-02-03T00:00:00Z"}'),
  };
  const image = registry.store.putArtifact("app", { tag: "1.1.0", config });
  const index = { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [image] };
  registry.store.putManifest("app", index, { tag: "1.2.0" });
  registry.store.putArtifact("app", { tag: "2.0.0", annotations: created("\u001B[31m no date") });
  registry.store.putArtifact("app", { tag: `sha256-${image.digest.slice(7)}.sig` });
});
afterAll(async () => await registry.close());

const run = async (path: string, ...args: string[]): Promise<CommandResult> =>
  await runStrata(["list", `oci://${registry.host}/${path}`, "--insecure", ...args]);

interface Document {
  readonly taken: string | null;
  readonly tags: readonly {
    readonly tag: string;
    readonly created?: string;
    readonly signatures?: readonly string[];
  }[];
}

describe("strata list", () => {
  it("says which tag is taken, and why not the others", async () => {
    const { code, stdout, stderr } = await run("app", "--semver", "1.x", "--limit", "4");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const rows = stdout.split("\n");
    expect(rows[0]).toMatch(/^ {2}TAG +DIGEST +CREATED +SIGNED +WHY$/);
    expect(rows[1]).toMatch(/^\* 1\.2\.0 +sha256:\S{12} +2026-02-03 +no +taken$/);
    expect(rows[2]).toMatch(/^ {2}1\.1\.0 .* 2026-02-03 +cosign signature +let in, but 1\.2\.0 comes first$/);
    expect(rows[3]).toMatch(/^ {2}1\.0\.0 .* 2026-01-02 /);
    expect(rows[4]).toMatch(/^ {2}2\.0\.0 .* - +no +outside the range 1\.x$/);
    expect(rows[5]).toBe("  and 1 more; --limit shows them");
  });

  it("has a form for programs, in which a date is a date", async () => {
    const { tags, taken } = JSON.parse((await run("app", "--semver", ">=1", "-o", "json")).stdout) as Document;
    expect(taken).toBe("2.0.0");
    expect(tags[0]).not.toHaveProperty("created");
    expect(tags.find(({ tag }) => tag === "1.0.0")).toMatchObject({
      verdict: "earlier",
      digest: expect.stringMatching(/^sha256:/),
      created: "2026-01-02T02:04:05.000Z",
      signatures: [],
    });
    const signed = JSON.parse((await run("signed/bundle", "-o", "json")).stdout) as Document;
    expect(signed.tags.find(({ tag }) => tag === "1.0.0")?.signatures).toEqual(["Sigstore bundle"]);
  });

  it("names what is let in, and asks nothing but for the list", async () => {
    const before = registry.requests.length;
    const { code, stdout } = await run("app", "--semver", "1.x", "-o", "name");
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1.2.0\n1.1.0\n1.0.0\n" });
    expect(registry.requests.slice(before).filter(({ path }) => !/\/v2\/$|\/tags\/list/.test(path))).toEqual([]);
  });

  it("asks only about the tags that are shown", async () => {
    const before = registry.requests.length;
    await run("app", "--semver", "1.x", "--limit", "1");
    const manifests = registry.requests.slice(before).flatMap(({ path }) => /manifests\/(\d.*)/.exec(path)?.[1] ?? []);
    expect([...new Set(manifests)]).toEqual(["1.2.0"]);
  });

  it("takes the rule out of a manifest", async () => {
    const spec = { url: `oci://${registry.host}/app`, interval: "1h", insecure: true, ref: { semver: "<1.2.0" } };
    const object = {
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "app" },
      spec,
    };
    const { code, stdout } = await runStrata(["list", "-f", "-", "-o", "name"], { stdin: JSON.stringify(object) });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "1.1.0\n1.0.0\n" });
  });

  it("ends with 1 where nothing is taken, and shows the tags all the same", async () => {
    const { code, stdout, stderr } = await run("app", "--semver", ">=9");
    expect(code).toBe(1);
    expect(stdout).toMatch(/^ {2}2\.0\.0 .* outside the range >=9$/m);
    expect(stderr).toContain("[NoTagMatch]");
    const json = await run("app", "--semver", ">=9", "--output", "json");
    expect(JSON.parse(json.stdout)).toMatchObject({ taken: null, error: { code: "NoTagMatch" } });
    expect((await run("app")).stdout).toContain("The tag latest, which is asked for, is not there.");
  });

  it.each([
    [["--semver", ">=9"], "Write --semver '>=2.0.0', or another range"],
    [["--semver", "*", "--semver-filter", "^x"], 'matches --semver-filter "^x"'],
    [["--order", "alphabetical", "--filter", "^x"], 'matches --filter "^x"'],
    [
      ["--order", "numerical"],
      "--order numerical cannot order it. Leave such tags out with --filter '^main-[0-9]+$', or take the number with --filter '^main-(?P<n>[0-9]+)$' --extract '$n'.",
    ],
  ])("names flags, and no fields, where %j takes nothing", async (args, words) => {
    const { code, stderr } = await run("app", ...args);
    expect(code).toBe(1);
    expect(stderr).toContain(words);
    expect(stderr).not.toMatch(/spec\.|ref:/);
    const { stdout } = await run("app", ...args, "--output", "json");
    expect((JSON.parse(stdout) as { error: { message: string } }).error.message).toContain(words);
  });

  it("names fields where the rule stands in a file", async () => {
    const spec = { url: `oci://${registry.host}/app`, interval: "1h", insecure: true, ref: { semver: ">=9" } };
    const object = {
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "app" },
      spec,
    };
    const { stderr } = await runStrata(["list", "-f", "-"], { stdin: JSON.stringify(object) });
    expect(stderr).toContain('Write ref: {semver: ">=2.0.0"}');
  });

  it.each([
    [["--semver", ""], "--semver is empty"],
    [["--semver", "nonsense("], "--semver"],
    [["--semver", "1", "--semver-filter", "("], "--semver-filter"],
    [["--semver-filter", "x"], "--semver-filter goes with --semver"],
    [["--filter", "x"], "--filter goes with --order"],
    [["--order", "numerical", "--extract", "$x"], "--extract goes with --filter"],
    [["--order", "constructor"], "numerical-desc"],
    [["--semver", "1", "--order", "numerical"], "keep one of them"],
    [["--limit", "0"], "from 1 to 1000"],
    [["--output", "table"], "json"],
    [["-f", "x.yaml"], "not both"],
  ])("is used wrongly with %j", async (args, problem) => {
    const { code, stdout, stderr } = await run("app", ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(problem);
    expect(stderr).not.toContain("spec.");
  });

  it("takes one rule, not that of the reference as well", async () => {
    expect((await run("app:1.0.0", "--semver", "1")).stderr).toContain("the reference names 1.0.0");
    expect((await run("app:1.0.0")).stdout).toMatch(/^\* 1\.0\.0 /m);
  });
});
