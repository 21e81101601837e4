import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../../config.ts";
import { codeOf } from "../../errors.ts";
import type { Descriptor } from "../../oci/types.ts";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { testRepository } from "../../testing/registry/client.ts";
import { openLayout } from "../../registry/layout.ts";
import { legacyTag } from "../../verify/cosign/legacy.ts";
import { GraphCopy } from "../../copy/graph.ts";

let source: TestRegistry;
let target: TestRegistry;
let dir: string;
const signal = new AbortController().signal;

beforeEach(async () => {
  source = await startRegistry({ fixtures: true });
  target = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-copy-"));
});
afterEach(async () => {
  await Promise.all([source.close(), target.close(), rm(dir, { recursive: true, force: true })]);
});

const at = (registry: TestRegistry, name: string): string => `oci://${registry.host}/${name}`;
const copied = async (...args: string[]): Promise<Record<string, unknown>> => {
  const { code, stdout, stderr } = await runStrata(["copy", "--insecure", "--output", "json", ...args]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Record<string, unknown>;
};

/** Every blob and manifest below a reference is in `repository`, byte for byte. */
function expectComplete(registry: TestRegistry, repository: string, reference: string): void {
  const found = registry.store.manifest(repository, reference);
  expect(found, `${repository} ${reference}`).toBeDefined();
  const body = JSON.parse(found!.stored.bytes.toString("utf8")) as {
    manifests?: Descriptor[];
    config?: Descriptor;
    layers?: Descriptor[];
  };
  for (const child of body.manifests ?? []) expectComplete(registry, repository, child.digest);
  for (const blob of [...(body.config ? [body.config] : []), ...(body.layers ?? [])]) {
    expect(registry.store.repository(repository).blobs.get(blob.digest)?.size, blob.digest).toBe(blob.size);
  }
}

describe("between registries", () => {
  it.each([["product:1.0.0"], ["image:1.0.0"], ["timoni/mod:1.0.0"]])(
    "%s arrives with everything below it",
    async (name) => {
      const result = await copied(at(source, name), at(target, "copy"));
      const [repository, tag] = name.split(":") as [string, string];
      const { digest } = source.store.manifest(repository, tag)!;
      expect(result).toMatchObject({ digest, target: `${at(target, "copy")}:${tag}@${digest}`, present: 0 });
      expect(target.store.manifest("copy", tag)?.digest).toBe(digest);
      expectComplete(target, "copy", tag);
    },
  );

  it("sends nothing a second time", async () => {
    await copied(at(source, "product:1.0.0"), at(target, "copy"));
    target.requests.length = 0;
    const again = await copied(at(source, "product:1.0.0"), at(target, "copy"));
    expect(again).toMatchObject({ bytes: 0, present: again["blobs"] });
    expect(target.requests.filter(({ method }) => method !== "HEAD" && method !== "GET")).toEqual([]);
  });

  it("mounts blobs within one registry", async () => {
    const result = await copied(at(source, "product:1.0.0"), at(source, "elsewhere"));
    expect(result).toMatchObject({ bytes: 0, mounted: result["blobs"] });
    expectComplete(source, "elsewhere", "1.0.0");
  });

  it("takes a digest, and then sets no tag", async () => {
    const { digest } = source.store.manifest("product", "1.0.0")!;
    await copied(at(source, `product@${digest}`), at(target, "copy"));
    expectComplete(target, "copy", digest);
    expect(target.store.repository("copy").tags.size).toBe(0);
  });

  it("sets the tag that the target names", async () => {
    await copied(at(source, "product:1.0.0"), at(target, "copy:stable"));
    expect([...target.store.repository("copy").tags.keys()]).toEqual(["stable"]);
  });

  it("goes on after the source has cut a blob", async () => {
    const bytes = Buffer.alloc(300_000, "strata");
    source.store.putArtifact("large", { tag: "1", layers: [{ mediaType: "application/octet-stream", bytes }] });
    source.faults.add({ method: "GET", path: /large\/blobs/, cutAfterBytes: 100_000 });
    await copied(at(source, "large:1"), at(target, "copy"));
    expectComplete(target, "copy", "1");
  });

  it("sends a blob whole after the target has cut the upload", async () => {
    const bytes = Buffer.alloc(300_000, "strata");
    source.store.putArtifact("large", { tag: "1", layers: [{ mediaType: "application/octet-stream", bytes }] });
    target.faults.add({ method: "PUT", path: /copy\/blobs\/uploads/, cutRequestAfterBytes: 100_000 });
    await copied(at(source, "large:1"), at(target, "copy"));
    expectComplete(target, "copy", "1");
  });

  it("leaves layers out that may not be redistributed where the source has none", async () => {
    const blob = {
      mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
      digest: `sha256:${"1".repeat(64)}`,
      size: 4,
    };
    const config = source.store.putBlob("foreign", Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
    source.store.putManifest(
      "foreign",
      { schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [blob] },
      { tag: "1" },
    );
    expect(await copied(at(source, "foreign:1"), `oci-layout://${join(dir, "layout")}`)).toMatchObject({
      undistributable: 1,
      bytes: config.size,
    });
  });

  it("fails for any other layer that is missing", async () => {
    const { digest } = source.store.putArtifact("broken", {
      tag: "1",
      layers: [{ mediaType: "text/plain", bytes: Buffer.from("a") }],
    });
    source.store.repository("broken").blobs.clear();
    const { code } = await runStrata(["copy", "--insecure", at(source, "broken:1"), at(target, "copy")]);
    expect(code).toBe(1);
    expect(target.store.manifest("copy", digest)).toBeUndefined();
  });
});

describe("referrers", () => {
  it.each([["signed/legacy"], ["signed/bundle"], ["signed/notation-jws"], ["signed/index"]])(
    "of %s come along when asked for",
    async (repository) => {
      const { tags } = source.store.repository(repository);
      const tag = [...tags.keys()].find((name) => !name.startsWith("sha256-"))!;
      const { digest } = source.store.manifest(repository, tag)!;
      const without = await copied(at(source, `${repository}:${tag}`), at(target, "without"));
      const result = await copied("--referrers", at(source, `${repository}:${tag}`), at(target, "copy"));
      expect(without["referrers"]).toBe(0);
      expect(result["referrers"]).toBeGreaterThan(0);
      expectComplete(target, "copy", tag);
      const there = async (registry: TestRegistry, name: string): Promise<Set<string>> =>
        new Set((await testRepository(registry, name).referrers(digest, signal)).map((found) => found.digest));
      expect(await there(target, "copy")).toEqual(await there(source, repository));
      const signature = source.store.manifest(repository, legacyTag(digest)!);
      expect(target.store.manifest("copy", legacyTag(digest)!)?.digest).toBe(signature?.digest);
    },
  );

  it("are found by a registry without a referrers API", async () => {
    const old = await startRegistry({ referrers: false });
    try {
      const subject = source.store.putArtifact("app", {
        tag: "1",
        layers: [{ mediaType: "text/plain", bytes: Buffer.from("a") }],
      });
      const sbom = source.store.putArtifact("app", {
        artifactType: "application/spdx+json",
        subject,
        layers: [{ mediaType: "text/plain", bytes: Buffer.from("b") }],
      });
      await copied("--referrers", at(source, "app:1"), at(old, "copy"));
      expect((await testRepository(old, "copy").referrers(subject.digest, signal)).map(({ digest }) => digest)).toEqual(
        [sbom.digest],
      );
    } finally {
      await old.close();
    }
  });

  it("are there before the tag is", async () => {
    const subject = source.store.putArtifact("app", { tag: "1" });
    source.store.putArtifact("app", {
      artifactType: "application/spdx+json",
      subject,
      layers: [{ mediaType: "text/plain", bytes: Buffer.from("b") }],
    });
    await copied("--referrers", at(source, "app:1"), at(target, "copy"));
    const puts = target.requests.filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"));
    expect(puts.at(-1)!.path).toBe("/v2/copy/manifests/1");
  });
});

describe("image layouts", () => {
  it("take an index and its signatures, and give them back", async () => {
    const repository = "signed/index";
    const tag = [...source.store.repository(repository).tags.keys()].find((name) => !name.startsWith("sha256-"))!;
    const { digest } = source.store.manifest(repository, tag)!;
    const layout = `oci-layout://${join(dir, "layout")}`;
    await copied("--referrers", at(source, `${repository}:${tag}`), layout);
    await copied("--referrers", `${layout}:${tag}`, at(target, "copy"));
    expect(target.store.manifest("copy", tag)?.digest).toBe(digest);
    expectComplete(target, "copy", tag);
    expect(target.store.manifest("copy", legacyTag(digest)!)?.digest).toBe(
      source.store.manifest(repository, legacyTag(digest)!)?.digest,
    );
  });

  it("list only what was asked for", async () => {
    const layout = join(dir, "layout");
    await copied(at(source, "product:1.0.0"), `oci-layout://${layout}`);
    const { manifests } = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as { manifests: Descriptor[] };
    expect(manifests).toHaveLength(1);
    expect(manifests[0]).toMatchObject({
      digest: source.store.manifest("product", "1.0.0")!.digest,
      annotations: { "org.opencontainers.image.ref.name": "1.0.0" },
    });
  });
});

describe("limits", () => {
  const copyWith = async (root: Descriptor, limits: object): Promise<unknown> => {
    const graph = new GraphCopy({
      source: testRepository(source, "made"),
      target: openLayout(join(dir, "out"), defaultLimits),
      targetIsLayout: true,
      mountFrom: undefined,
      referrers: false,
      limits: { ...defaultLimits, ...limits },
    });
    return await graph.copy(root, undefined, signal).then(() => undefined, codeOf);
  };

  it("of depth and number hold", async () => {
    const leaf = source.store.putArtifact("made", { annotations: { a: "1" } });
    const second = source.store.putArtifact("made", { annotations: { a: "2" } });
    const inner = source.store.putIndex("made", [leaf, second]);
    const root = source.store.putIndex("made", [inner]);
    expect(await copyWith(root, { maxIndexDepth: 1 })).toBe("IndexTooDeep");
    expect(await copyWith(root, { maxManifests: 3 })).toBe("TooManyManifests");
    expect(await copyWith(root, { maxIndexDepth: 2, maxManifests: 4 })).toBeUndefined();
  });
});

describe("strata copy --all-tags", () => {
  it("copies every tag, with everything below it", async () => {
    source.store.putManifest("many", { schemaVersion: 2, manifests: [] }, { tag: "empty" });
    for (const tag of ["1.0.0", "1.0.1", "latest"])
      await copied(at(source, "flux/app:1.0.0"), at(source, `many:${tag}`));
    const { stdout, code } = await runStrata(["copy", "--all-tags", at(source, "many"), at(target, "many")]);
    expect(code).toBe(0);
    expect(stdout.match(/^copied +oci/gm)).toHaveLength(4);
    expect(stdout).toMatch(/^tags +4$/m);
    for (const tag of ["empty", "1.0.0", "1.0.1", "latest"]) expectComplete(target, "many", tag);
  });

  it("tells of a tag that has gone, and copies the others", async () => {
    for (const tag of ["a", "b", "c"]) await copied(at(source, "flux/app:1.0.0"), at(source, `many:${tag}`));
    source.faults.add({ path: /manifests\/b$/, status: 404, times: 9 });
    const { code, stdout, stderr } = await runStrata([
      "copy",
      "--all-tags",
      at(source, "many"),
      at(target, "many"),
      "-o",
      "json",
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      tags: [{ tag: "a" }, { tag: "c" }],
      failed: [{ tag: "b", code: "NotFound" }],
    });
    expect(stderr).toContain("tag b");
  });

  it.each([
    [["oci://a.example/b:1", "oci://a.example/c"]],
    [["oci://a.example/b", "oci://a.example/c:1"]],
    [["oci://a.example/b", "oci://a.example/c", "--platform", "linux/amd64"]],
  ])("takes no %j", async (args) => {
    expect((await runStrata(["copy", "--all-tags", ...args])).code).toBe(2);
  });
});

describe("strata copy --dry-run", () => {
  it("says what would be sent, and writes nothing", async () => {
    const args = [at(source, "product:1.0.0"), at(target, "copy"), "--referrers"];
    const dry = await copied(...args, "--dry-run");
    expect(target.requests.filter(({ method }) => !["GET", "HEAD"].includes(method))).toEqual([]);
    expect(target.store.manifest("copy", "1.0.0")).toBeUndefined();
    const { dryRun, ...counts } = dry;
    expect(dryRun).toBe(true);
    expect(await copied(...args)).toEqual(counts);
    const { stdout } = await runStrata(["copy", ...args, "--dry-run"]);
    expect(stdout).toMatch(/^would copy oci/);
    expect(stdout).toMatch(/0 B to send/);
  });

  it("into a layout makes no directory", async () => {
    const path = join(dir, "layout");
    await copied(at(source, "flux/app:1.0.0"), `oci-layout://${path}`, "--dry-run");
    await expect(readFile(join(path, "index.json"))).rejects.toThrow(/ENOENT/);
  });
});

describe("strata copy --platform", () => {
  it("copies one manifest of an index", async () => {
    const { manifests } = JSON.parse(source.store.manifest("image", "1.0.0")!.stored.bytes.toString()) as {
      manifests: Descriptor[];
    };
    const wanted = manifests.find(({ platform }) => platform?.architecture === "arm64")!;
    const result = await copied(at(source, "image:1.0.0"), at(target, "copy"), "--platform", "linux/arm64");
    expect(result["digest"]).toBe(wanted.digest);
    expectComplete(target, "copy", "1.0.0");
  });

  it("says which there are, in flags", async () => {
    const args = ["copy", at(source, "image:1.0.0"), at(target, "copy"), "--platform"];
    const { code, stderr } = await runStrata([...args, "plan9/mips"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: --platform plan9\/mips matches no manifest of .* \[NoManifestMatch\]:\n/);
    expect(stderr).not.toContain("--artifact-type");
    expect(stderr).toMatch(/as flags: --platform linux\/\w+\n$/);
    expect(stderr).not.toMatch(/Selector/);
    expect((await runStrata([...args, "nonsense"])).code).toBe(2);
  });
});

describe("strata copy", () => {
  it("tells people what it did", async () => {
    const { stdout } = await runStrata(["copy", "--insecure", at(source, "product:1.0.0"), at(target, "copy")]);
    expect(stdout).toMatch(/^copied +oci:\/\/[^ ]+\/copy:1\.0\.0@sha256:/);
    expect(stdout).toMatch(/manifests +\d+\n/);
  });

  it("draws bars on a terminal", async () => {
    const { stderr } = await runStrata(["copy", "--insecure", at(source, "product:1.0.0"), at(target, "copy")], {
      terminal: true,
    });
    expect(stderr).toContain("100 %");
  });

  it.each([
    [[]],
    [["oci://a.example/b"]],
    [["oci://a.example/b", "oci://a.example/c", "oci://a.example/d"]],
    [["--all", "a", "b"]],
    [["a", "b", "--output", "xml"]],
  ])("takes no %j", async (args) => {
    expect((await runStrata(["copy", ...args])).code).toBe(2);
  });

  it("does not promise another digest", async () => {
    expect(
      (
        await runStrata([
          "copy",
          "--insecure",
          at(source, "product:1.0.0"),
          at(target, `copy@sha256:${"0".repeat(64)}`),
        ])
      ).code,
    ).toBe(2);
  });

  it("says what is missing", async () => {
    const { code, stdout } = await runStrata([
      "copy",
      "--insecure",
      "--output",
      "json",
      at(source, "product:9"),
      at(target, "copy"),
    ]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "NotFound" } });
  });

  it("stops when it is told to", async () => {
    const abort = new AbortController();
    abort.abort();
    expect(
      (
        await runStrata(["copy", "--insecure", at(source, "product:1.0.0"), at(target, "copy")], {
          signal: abort.signal,
        })
      ).code,
    ).toBe(1);
    expect(target.store.repository("copy").manifests.size).toBe(0);
  });
});
