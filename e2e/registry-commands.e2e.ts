import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { filesOfDirectory } from "./artifact.ts";
import { dockerLogin, strataJson, strataRefusal, type BuildReport, type Environment } from "./commands.ts";
import { pushFixtures } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();

/** Asks for a password, and holds the fixtures. */
let registry: Registry;
/** Another one, empty and open. */
let other: Registry;
let login: Environment;

beforeAll(async () => {
  const open = await startRegistry(workspace, { name: "open" });
  await pushFixtures(open);
  [registry, other] = await Promise.all([
    startRegistry(workspace, { name: "htpasswd", storage: open.storage, auth: "htpasswd" }),
    startRegistry(workspace, { name: "other" }),
  ]);
  login = await dockerLogin(workspace, "docker", [registry.host]);
});

let outputs = 0;
async function newPath(): Promise<string> {
  return join(await workspace.directory("out"), String(outputs++));
}

async function buildFiles(
  reference: string,
  ...args: string[]
): Promise<{ report: BuildReport; files: Readonly<Record<string, string>> }> {
  const out = await newPath();
  const report = await strataJson<BuildReport>(["build", reference, "--insecure", ...args, "-o", out], login);
  return { report, files: await filesOfDirectory(out) };
}

describe("strata build", () => {
  it("writes many files, by threads of the bundle, with or without an artifact", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1000 }, (_, n) => [`group-${n % 7}/file-${n}.yaml`, `n: ${n}\n`]),
    );
    const source = await newPath();
    for (const [name, content] of Object.entries(files)) {
      await mkdir(join(source, name, ".."), { recursive: true });
      await writeFile(join(source, name), content);
    }
    await strataJson(["bundle", "-f", source, "-t", `oci://${other.host}/many:1.0.0`, "--insecure"]);
    const [reference, out] = [`oci://${other.host}/many:1.0.0`, await newPath()];
    const { code, stdout } = await strata(["build", reference, "--insecure", "-o", out]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("1000 files") as string });
    expect(await filesOfDirectory(out)).toEqual(await filesOfDirectory(source));
    expect(stdout).toContain((await buildFiles(reference)).report.revision);
  });
});

describe("strata tree", () => {
  it("draws an index within an index", async () => {
    const { code, stdout } = await strata(["tree", `oci://${registry.host}/product:1.0.0`, "--insecure"], login);
    expect(code).toBe(0);
    for (const text of [
      "linux/arm64",
      "application/vnd.timoni.config.v1+json",
      "role=config",
      "artifactType: application/vnd.example.config.v1",
    ])
      expect(stdout).toContain(text);
  });

  it("downloads manifests alone", async () => {
    const before = (await registry.requests()).length;
    const { tree } = await strataJson<{ tree: { manifests: readonly { kind: string }[] } }>(
      ["tree", `oci://${registry.host}/product:1.0.0`, "--insecure"],
      login,
    );
    expect(tree.manifests.map(({ kind }) => kind)).toEqual(["index", "manifest", "index"]);
    const asked = (await registry.requests()).slice(before);
    expect(asked.filter(({ path }) => path.includes("/blobs/"))).toEqual([]);
    expect(asked.length).toBeGreaterThan(0);
  });
});

describe("strata copy", () => {
  interface Copied {
    readonly digest: string;
    readonly manifests: number;
    readonly referrers: number;
    readonly blobs: number;
    readonly bytes: number;
    readonly present: number;
  }

  it("takes an index to a layout, and from there to another registry", async () => {
    const layout = `oci-layout://${await newPath()}`;
    const out = await strataJson<Copied>(["copy", `oci://${registry.host}/product:1.0.0`, layout, "--insecure"], login);
    const back = await strataJson<Copied>(
      ["copy", `${layout}:1.0.0`, `oci://${other.host}/moved/product`, "--insecure"],
      login,
    );
    expect(back).toMatchObject({ digest: out.digest, manifests: out.manifests, blobs: out.blobs });
    const args = ["--platform", "linux/arm64"];
    const [here, there, onDisk] = await Promise.all(
      [`oci://${registry.host}/product:1.0.0`, `oci://${other.host}/moved/product:1.0.0`, `${layout}:1.0.0`].map(
        (reference) => buildFiles(reference, ...args),
      ),
    );
    expect(there).toEqual(here);
    expect(onDisk).toEqual(here);
  });

  it("takes signatures along, and sends nothing twice", async () => {
    const args = [
      "copy",
      `oci://${registry.host}/signed/bundle:1.0.0`,
      `oci://${other.host}/signed`,
      "--insecure",
      "--referrers",
    ];
    const first = await strataJson<Copied>(args, login);
    expect(first).toMatchObject({ referrers: 1 });
    expect(await strataJson<Copied>(args, login)).toMatchObject({ digest: first.digest, bytes: 0 });
    const { tree } = await strataJson<{ tree: { referrers: readonly unknown[] } }>(
      ["tree", `oci://${other.host}/signed:1.0.0`, "--insecure"],
      login,
    );
    expect(tree.referrers).toHaveLength(1);
  });
});

describe("strata bundle", () => {
  const content = { "app.yaml": "kind: List\n", "base/kustomization.yaml": "resources: []\n" };
  let dir: string;
  beforeAll(async () => {
    dir = await newPath();
    await mkdir(join(dir, "base"), { recursive: true });
    for (const [name, text] of Object.entries(content)) await writeFile(join(dir, name), text);
  });

  it("pushes a directory that strata build reads back, byte for byte", async () => {
    const reference = `oci://${registry.host}/team/app:2.0.0`;
    const pushed = await strataJson<{ layer: { digest: string }; digest: string }>(
      ["bundle", "-f", dir, "-t", reference, "--insecure"],
      login,
    );
    const { report, files } = await buildFiles(reference);
    expect(report).toMatchObject({ operation: "Extract", profile: "flux", digest: pushed.layer.digest });
    expect(files).toEqual(await filesOfDirectory(dir));
    expect(await strataJson(["push", "-f", dir, "-t", reference, "--insecure"], login)).toMatchObject({
      digest: pushed.digest,
    });
  });

  it("signs so that spec.verify accepts it, and nobody else's key", async () => {
    const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const keyFile = join(workspace.dir, "cosign.key");
    await writeFile(keyFile, keys.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await strataJson(
      ["bundle", "-f", dir, "-t", `oci://${registry.host}/team/signed:1.0.0`, "--insecure", "--sign-key", keyFile],
      login,
    );
    const fixtureKey = await readFile(new URL("../src/testing/fixtures/cosign.pub", import.meta.url), "utf8");
    const [good, bad] = await Promise.all(
      [String(keys.publicKey.export({ type: "spki", format: "pem" })), fixtureKey].map(manifestWith),
    );
    expect(await strataJson(["build", "-f", good!, "-o", await newPath()], login)).toMatchObject({
      operation: "Extract",
    });
    expect((await strataRefusal(["build", "-f", bad!, "-o", await newPath()], login)).code).toBe("VerificationFailed");
  });

  async function manifestWith(key: string): Promise<string> {
    const path = `${await newPath()}.yaml`;
    const verify = { provider: "cosign", secretRef: { name: "keys" } };
    const spec = {
      url: `oci://${registry.host}/team/signed`,
      interval: "1h",
      insecure: true,
      ref: { tag: "1.0.0" },
      verify,
    };
    const documents = [
      { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "app" }, spec },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "keys" }, stringData: { "release.pub": key } },
    ];
    await writeFile(path, documents.map((document) => JSON.stringify(document)).join("\n---\n"));
    return path;
  }
});

describe("strata tag", () => {
  it("points further tags at an artifact", async () => {
    const reference = `oci://${registry.host}/flux/app:1.1.0`;
    const tagged = await strataJson<{ digest: string; moved: readonly string[] }>(
      ["tag", reference, "stable", "production", "--insecure"],
      login,
    );
    expect(tagged.moved).toEqual(["stable", "production"]);
    expect(await strataJson(["tag", reference, "stable", "--insecure"], login)).toMatchObject({
      digest: tagged.digest,
      moved: [],
    });
    const [stable, original] = await Promise.all(
      ["stable", "1.1.0"].map((tag) => buildFiles(`oci://${registry.host}/flux/app:${tag}`)),
    );
    expect(stable!.report.digest).toBe(original!.report.digest);
    expect(stable!.report.revision).toMatch(/^stable@sha256:/);
  });

  it("needs the password to write", async () => {
    const error = await strataRefusal(["tag", `oci://${registry.host}/flux/app:1.1.0`, "stolen", "--insecure"], {
      DOCKER_CONFIG: await newPath(),
    });
    expect(error.code).toBe("Unauthorized");
  });
});
