import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { runStrata, type CommandResult } from "../testing/command-io.ts";
import { bundleType } from "../testing/signatures/cosign-signatures.ts";
import { SignedArtifact } from "../testing/signatures/signed-artifact.ts";
import { TestSigstore } from "../testing/signatures/sigstore.ts";
import { TestTufRepository, type TufMirror } from "../testing/signatures/tuf-repository.ts";

const sigstore = new TestSigstore();

let dir: string;
let artifact: SignedArtifact;
let mirror: TufMirror;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-trust-"));
  artifact = await SignedArtifact.create(join(dir, "layout"));
  await artifact.refer(bundleType, [sigstore.timestamped(artifact.root.digest)]);
  const repository = new TestTufRepository();
  repository.publish({ trustedRoot: sigstore.rootWithoutLog() });
  mirror = await repository.serve();
  await writeFile(join(dir, "root.json"), repository.anchor);
});
afterEach(async () => {
  await mirror.close();
  await rm(dir, { recursive: true, force: true });
});

async function verify(...flags: readonly string[]): Promise<CommandResult> {
  const env = { XDG_CACHE_HOME: join(dir, "cache") };
  const anybody = ["--issuer", ".*", "--subject", ".*"];
  return await runStrata(["verify", `oci-layout://${join(dir, "layout")}:1.0.0`, ...anybody, ...flags], { env });
}
const byMirror = (): string[] => ["--sigstore-tuf-mirror", mirror.url, "--sigstore-tuf-root", join(dir, "root.json")];

it("verifies by the trusted root that a mirror keeps, and asks for it once a day", async () => {
  expect(await verify(...byMirror())).toMatchObject({ code: 0, stderr: "" });
  const asked = mirror.requests.length;
  expect(asked).toBeGreaterThan(3);
  expect(await verify(...byMirror())).toMatchObject({ code: 0, stderr: "" });
  expect(mirror.requests.length).toBe(asked);
  if (process.platform === "linux") expect(await readdir(join(dir, "cache", "strata", "sigstore"))).toHaveLength(1);
});

it("warns where a refresh fails, and goes on with the root that came along", async () => {
  mirror.fail((_, response) => (response.writeHead(500).end(), true));
  const { code, stderr } = await verify("--sigstore-tuf-mirror", mirror.url);
  expect(code).toBe(3);
  expect(stderr).toContain("warning: the trusted root of Sigstore could not be refreshed, it never was: ");
  expect(stderr).toContain("of the public Sigstore");
});

it("gives up on a mirror that hangs, says so, and does not ask it again for an hour", async () => {
  mirror.fail(() => true);
  const { code, stderr } = await verify("--sigstore-tuf-mirror", mirror.url);
  expect([code, stderr]).toEqual([
    3,
    expect.stringContaining("warning: the trusted root of Sigstore is not refreshed yet"),
  ]);
  const asked = mirror.requests.length;
  expect((await verify("--sigstore-tuf-mirror", mirror.url)).stderr).not.toContain("warning");
  expect(mirror.requests.length).toBe(asked);
});

it("asks nobody where the flag or the environment says so, or the command names a root", async () => {
  await writeFile(join(dir, "trusted_root.json"), sigstore.rootWithoutLog());
  expect(await verify("--no-sigstore-tuf")).toMatchObject({ code: 3 });
  expect(await verify()).toMatchObject({ code: 3 });
  expect(await verify(...byMirror(), "--trusted-root", join(dir, "trusted_root.json"))).toMatchObject({ code: 0 });
  expect(mirror.requests).toEqual([]);
});

it.each<[string, (flags: readonly string[]) => readonly string[], RegExp]>([
  ["both", (flags) => [...flags, "--no-sigstore-tuf"], /asks nobody; leave/],
  ["no URL", () => ["--sigstore-tuf-mirror", "mirror"], /write a URL with https/],
  ["no file", () => ["--sigstore-tuf-root", "/nowhere"], /--sigstore-tuf-root \/nowhere cannot be used/],
])("refuses %s", async (_, flags, message) => {
  const { code, stderr } = await verify(...flags(byMirror()));
  expect([code, stderr]).toEqual([2, expect.stringMatching(message)]);
});
