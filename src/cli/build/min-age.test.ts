import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { Digest } from "../../oci/types.ts";
import { tarOf } from "../../testing/archives/tar.ts";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { bundleType } from "../../testing/signatures/cosign-signatures.ts";
import { TestSigstore } from "../../testing/signatures/sigstore.ts";

const hour = 3_600_000;
const sigstore = new TestSigstore();

let registry: TestRegistry;
let dir: string;
beforeEach(async () => {
  registry = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-min-age-"));
});
afterEach(async () => {
  await registry.close();
  await rm(dir, { recursive: true, force: true });
});

/** A version whose only time is that of a timestamp authority, so many hours ago. */
function push(tag: string, hoursAgo: number): Digest {
  const layers = [
    { mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", bytes: gzipSync(tarOf({ name: "v", content: tag })) },
  ];
  const subject = registry.store.putArtifact("app", { tag, layers });
  const { mediaType, bytes } = sigstore.timestamped(subject.digest, { at: new Date(Date.now() - hoursAgo * hour) });
  registry.store.putArtifact("app", {
    artifactType: bundleType,
    subject,
    layers: [{ mediaType, bytes: Buffer.from(bytes) }],
  });
  return subject.digest;
}

async function build(ref: object, ...flags: readonly string[]) {
  const file = join(dir, "source.yaml");
  const verify = { minAge: "72h", trustedRootSecretRef: { name: "root" } };
  const spec = { url: `oci://${registry.host}/app`, insecure: true, interval: "1h", ref, verify };
  const documents = [
    { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "app" }, spec },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "root" },
      stringData: { "trusted_root.json": sigstore.rootWithoutLog() },
    },
  ];
  await writeFile(file, documents.map((document) => stringify(document)).join("---\n"));
  return await runStrata(["build", "-f", file, "-o", join(dir, "out"), ...flags]);
}
const built = async (): Promise<string> => await readFile(join(dir, "out", "v"), "utf8");

describe("strata build -f with verify.minAge", () => {
  it("takes the newest version that is old enough, as the controller does, and says what waits", async () => {
    push("1.0.0", 200);
    push("1.1.0", 100);
    push("1.2.0", 70);
    const newest = push("1.3.0", 1);
    const { code, stdout } = await build({ semver: "1.x" });
    expect([code, await built()]).toEqual([0, "1.1.0"]);
    expect(stdout).toMatch(/^upstream +1\.1\.0@/m);
    expect(stdout).toMatch(
      new RegExp(`^waiting +1\\.3\\.0@${newest} waits for verify\\.minAge: .* lets it be taken at `, "m"),
    );
  });

  it("tells programs when the first that waits is old enough, also in a dry run", async () => {
    push("1.0.0", 200);
    push("1.1.0", 70);
    const digest = push("1.2.0", 1);
    const until = expect.stringMatching(/^\d{4}-.*Z$/) as unknown;
    for (const flags of [[], ["--dry-run"]]) {
      const { stdout } = await build({ semver: "1.x" }, "--force", "--output", "json", ...flags);
      const { waiting } = JSON.parse(stdout) as { waiting: { until: string } };
      expect(waiting).toEqual({ tag: "1.2.0", digest, until });
      expect(Date.parse(waiting.until) - Date.now()).toBeGreaterThan(1.9 * hour);
      expect(Date.parse(waiting.until) - Date.now()).toBeLessThan(2 * hour);
    }
    expect((await build({ semver: "1.x" }, "--dry-run")).stdout).toContain("waits for verify.minAge");
  });

  it("refuses what is too young where nothing else may be taken", async () => {
    push("1.0.0", 200);
    push("stable", 1);
    for (const ref of [{ tag: "stable" }, { semver: ">=1.0.1" }]) {
      if ("semver" in ref) push("1.1.0", 2);
      const { code, stderr } = await build(ref);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/was signed at .* \[TooYoung\]/)]);
    }
  });

  it("says nothing of waiting where the newest is old enough", async () => {
    push("1.0.0", 200);
    const { stdout } = await build({ semver: "1.x" });
    expect(stdout).not.toContain("waiting");
  });
});

it("strata lock locks the same version, which can be built from the lock", async () => {
  const digest = push("1.0.0", 200);
  push("1.1.0", 1);
  await build({ semver: "1.x" });
  const file = join(dir, "source.yaml");
  expect(await runStrata(["lock", "-f", file])).toMatchObject({ code: 0 });
  const { artifacts } = JSON.parse(await readFile(`${file}.lock`, "utf8")) as { artifacts: object };
  expect(artifacts).toMatchObject({ "default/app": { tag: "1.0.0", digest } });
  expect(await build({ semver: "1.x" }, "--locked", "--force")).toMatchObject({ code: 0 });
});

it("strata diff takes the same version", async () => {
  push("1.0.0", 200);
  push("1.1.0", 1);
  await build({ semver: "1.x" });
  const { code, stdout } = await runStrata(["diff", join(dir, "source.yaml"), join(dir, "out")]);
  expect([code, stdout]).toEqual([0, ""]);
});
