import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { verifyLimits } from "../../config.ts";
import type { Descriptor, Digest } from "../../oci/types.ts";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import { testRepository } from "../../testing/registry/client.ts";
import { parsePublicKeys } from "../../verify/cosign/keys.ts";
import { legacyTag } from "../../verify/cosign/legacy.ts";
import { signatureVerifier } from "../../verify/signature-verifier.ts";
import type { Verification } from "../../verify/verifier.ts";

let registry: TestRegistry;
let dir: string;
beforeEach(async () => {
  registry = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-bundle-"));
});
afterEach(async () => {
  await Promise.all([registry.close(), rm(dir, { recursive: true, force: true })]);
});

/** Files below a new directory, by path. */
async function content(files: Readonly<Record<string, string>>): Promise<string> {
  const root = join(dir, "content");
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}

interface Pushed {
  readonly digest: Digest;
  readonly layer: Descriptor;
  readonly files: number | null;
  readonly skipped: Readonly<Record<string, number>>;
  readonly signature: { readonly tag: string; readonly written: boolean } | null;
}

async function pushed(path: string, ...args: string[]): Promise<Pushed> {
  const { code, stdout, stderr } = await runStrata([
    "bundle",
    "--insecure",
    "--output",
    "json",
    "-f",
    path,
    "-t",
    `oci://${registry.host}/app:1.0.0`,
    ...args,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Pushed;
}

async function layerOf({ layer }: Pushed): Promise<Buffer> {
  const stream = await testRepository(registry, "app").fetch(layer, new AbortController().signal);
  return Buffer.concat(await stream.toArray());
}

async function listOf(result: Pushed): Promise<string[]> {
  return execFileSync("tar", ["-tzvf", "-"], { input: await layerOf(result) })
    .toString()
    .trim()
    .split("\n")
    .map((line) => {
      const fields = line.split(/\s+/);
      return `${fields[0]} ${fields.at(-1)}`;
    });
}

describe("strata bundle", () => {
  it("pushes a directory as flux push artifact does", async () => {
    const root = await content({
      "deploy/app.yaml": "kind: A\n",
      "kustomization.yaml": "resources: []\n",
      ".git/config": "",
      ".github/x.yaml": "",
      "logo.png": "",
    });
    await chmod(join(root, "deploy/app.yaml"), 0o700);
    await symlink("kustomization.yaml", join(root, "link"));
    const result = await pushed(
      root,
      "--source",
      "https://git.example/app",
      "--revision",
      "main@sha1:0f3a",
      "--annotation",
      "team=a=b",
    );
    const manifest = JSON.parse(registry.store.manifest("app", "1.0.0")!.stored.bytes.toString()) as Record<
      string,
      unknown
    >;
    expect(manifest).toMatchObject({
      config: { mediaType: "application/vnd.cncf.flux.config.v1+json" },
      layers: [{ mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", digest: result.layer.digest }],
      annotations: {
        "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
        "org.opencontainers.image.source": "https://git.example/app",
        "org.opencontainers.image.revision": "main@sha1:0f3a",
        team: "a=b",
      },
    });
    expect(await listOf(result)).toEqual([
      "drwxr-xr-x deploy",
      "-rwxr-xr-x deploy/app.yaml",
      "-rw-r--r-- kustomization.yaml",
    ]);
    expect(result).toMatchObject({ files: 2, skipped: { symlinks: 1, special: 0, ignored: 2 } });
  });

  it("gives equal content an equal digest and sends nothing twice", async () => {
    const root = await content({ "a.yaml": "a: 1\n" });
    const first = await pushed(root);
    registry.requests.length = 0;
    const second = await pushed(root);
    expect(second.digest).toBe(first.digest);
    expect(registry.requests.filter(({ method }) => method === "PUT" || method === "POST")).toEqual([]);
  });

  it("says what was made where no revision is given", async () => {
    await pushed(await content({ "a.yaml": "a: 1\n" }));
    const { annotations } = JSON.parse(registry.store.manifest("app", "1.0.0")!.stored.bytes.toString()) as {
      annotations: Record<string, string>;
    };
    expect(annotations["org.opencontainers.image.revision"]).toMatch(/^sha256:[a-f0-9]{64}$/);
  });

  it("obeys .sourceignore, and --ignore", async () => {
    const root = await content({ "a.yaml": "", "b.yaml": "", "docs/c.md": "", ".sourceignore": "b.yaml\n" });
    expect(await listOf(await pushed(root, "--ignore", "/docs"))).toEqual([
      "-rw-r--r-- .sourceignore",
      "-rw-r--r-- a.yaml",
    ]);
  });

  it("takes one file", async () => {
    const root = await content({ "app.yaml": "a: 1\n" });
    expect(await listOf(await pushed(join(root, "app.yaml")))).toEqual(["-rw-r--r-- app.yaml"]);
  });

  it("pushes a tar.gz as it is", async () => {
    const root = await content({ "app.yaml": "a: 1\n" });
    const archive = await layerOf(await pushed(root));
    const repacked = gzipSync(gunzipSync(archive), { level: 9 });
    await writeFile(join(dir, "out.tar.gz"), repacked);
    const result = await pushed(join(dir, "out.tar.gz"));
    expect(result.files).toBeNull();
    expect((await layerOf(result)).equals(repacked)).toBe(true);
  });

  it("pushes more than fits one request, in chunks, and goes on after a cut", async () => {
    const root = await content({
      "large.bin": Array.from({ length: 200_000 }, (_, at) => ((at * 7919) % 65_521).toString(36)).join(""),
    });
    registry.faults.add({ method: "PUT", path: /blobs\/uploads/, cutRequestAfterBytes: 50_000 });
    const result = await pushed(root);
    expect((await layerOf(result)).length).toBe(result.layer.size);
  });

  it("writes image layouts, and another media type", async () => {
    const root = await content({ "a.yaml": "a: 1\n" });
    const layout = `oci-layout://${join(dir, "layout")}`;
    expect(
      (
        await runStrata([
          "push",
          "-f",
          root,
          "-t",
          `${layout}:1`,
          "--media-type",
          "application/vnd.oci.image.layer.v1.tar+gzip",
        ])
      ).code,
    ).toBe(0);
    const copied = JSON.parse(
      (await runStrata(["copy", "--insecure", "--output", "json", `${layout}:1`, `oci://${registry.host}/app`])).stdout,
    ) as { digest: string };
    expect(JSON.parse(registry.store.manifest("app", copied.digest)!.stored.bytes.toString())).toMatchObject({
      layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" }],
    });
  });

  it("tells people what it did", async () => {
    const { stdout } = await runStrata([
      "bundle",
      "--insecure",
      "-f",
      await content({ "a.yaml": "" }),
      "-t",
      `oci://${registry.host}/app`,
    ]);
    expect(stdout).toMatch(/^pushed +oci:\/\/[^ ]+\/app:latest@sha256:[^]*1 file\n/);
  });
});

describe("--sign-key", () => {
  const pair = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const keyFile = async (key = pair.privateKey): Promise<string> => {
    const path = join(dir, "cosign.key");
    await writeFile(path, key.export({ type: "pkcs8", format: "pem" }).toString());
    return path;
  };
  const verified = async (digest: Digest, publicKey = pair.publicKey): Promise<Verification> => {
    const repository = testRepository(registry, "app");
    const signal = new AbortController().signal;
    const keys = parsePublicKeys(publicKey.export({ type: "spki", format: "pem" }).toString(), "cosign.pub", "test");
    const root = await repository.resolve(digest, signal);
    return await signatureVerifier(verifyLimits).verify({
      repository,
      root,
      policy: { provider: "cosign", method: "keys", keys, fingerprint: "test" },
      signal,
    });
  };

  it("signs what the controller then verifies", async () => {
    const result = await pushed(await content({ "a.yaml": "" }), "--sign-key", await keyFile());
    expect(result.signature).toMatchObject({ tag: legacyTag(result.digest), written: true });
    expect(await verified(result.digest)).toMatchObject({
      result: "verified",
      identity: expect.stringContaining("cosign.pub") as string,
    });
    await expect(verified(result.digest, generateKeyPairSync("ed25519").publicKey)).rejects.toMatchObject({
      code: "VerificationFailed",
    });
  });

  it("has signed before the tag is set", async () => {
    await pushed(await content({ "a.yaml": "" }), "--sign-key", await keyFile());
    const puts = registry.requests
      .filter(({ method, path }) => method === "PUT" && path.includes("/manifests/"))
      .map(({ path }) => path);
    expect(
      puts.map((path) => (path.endsWith(".sig") ? "signature" : path.includes("sha256") ? "digest" : "tag")),
    ).toEqual(["digest", "signature", "tag"]);
  });

  it("signs once, and keeps the signatures of others", async () => {
    const root = await content({ "a.yaml": "" });
    const first = await pushed(root, "--sign-key", await keyFile());
    expect((await pushed(root, "--sign-key", await keyFile())).signature).toMatchObject({ written: false });
    const other = generateKeyPairSync("ed25519");
    expect((await pushed(root, "--sign-key", await keyFile(other.privateKey))).signature).toMatchObject({
      written: true,
    });
    const signatures = JSON.parse(
      registry.store.manifest("app", legacyTag(first.digest)!)!.stored.bytes.toString(),
    ) as { layers: Descriptor[] };
    expect(signatures.layers).toHaveLength(2);
    await verified(first.digest);
    await verified(first.digest, other.publicKey);
  });

  it("names the repository, but no directory of this machine", async () => {
    const root = await content({ "a.yaml": "" });
    const payloadIn = async (target: string): Promise<string> => {
      await runStrata(["bundle", "--insecure", "-f", root, "-t", target, "--sign-key", await keyFile()]);
      const copied = await runStrata([
        "copy",
        "--insecure",
        "--referrers",
        "--output",
        "json",
        target,
        `oci://${registry.host}/signed`,
      ]);
      const { digest } = JSON.parse(copied.stdout) as { digest: Digest };
      const { layers } = JSON.parse(registry.store.manifest("signed", legacyTag(digest)!)!.stored.bytes.toString()) as {
        layers: Descriptor[];
      };
      const stream = await testRepository(registry, "signed").fetch(layers[0]!, new AbortController().signal);
      return Buffer.concat(await stream.toArray()).toString();
    };
    expect(await payloadIn(`oci://${registry.host}/app:1`)).toContain(`"docker-reference":"${registry.host}/app"`);
    expect(await payloadIn(`oci-layout://${join(dir, "layout")}:1`)).toContain('"docker-reference":""');
  });

  it("pushes nothing where the key cannot be used", async () => {
    const { code } = await runStrata([
      "bundle",
      "--insecure",
      "-f",
      await content({ "a.yaml": "" }),
      "-t",
      `oci://${registry.host}/app`,
      "--sign-key",
      join(dir, "none"),
    ]);
    expect(code).toBe(1);
    expect(registry.requests).toEqual([]);
  });
});

describe("refusals", () => {
  it.each([
    [[]],
    [["-f", "."]],
    [["-t", "oci://a.example/b"]],
    [["-f", ".", "-t", "oci://a.example/b", "--annotation", "x"]],
    [["-f", ".", "-t", `oci://a.example/b@sha256:${"0".repeat(64)}`]],
    [["x", "-f", ".", "-t", "oci://a.example/b"]],
  ])("takes no %j", async (args) => {
    expect((await runStrata(["bundle", ...args])).code).toBe(2);
  });

  const refused = async (path: string, target = `oci://${registry.host}/app`): Promise<unknown> => {
    const { code, stdout } = await runStrata(["bundle", "--insecure", "--output", "json", "-f", path, "-t", target]);
    expect(code).toBe(1);
    return (JSON.parse(stdout) as { error: { code: string } }).error.code;
  };

  it("say what is wrong with the content", async () => {
    expect(await refused(join(dir, "none"))).toBe("InvalidSpec");
    expect(await refused(join(dir, "none.tar.gz"))).toBe("InvalidSpec");
    expect(await refused(await content({ "logo.png": "" }))).toBe("EmptyResult");
    expect(await refused(await content({ "a\\b.yaml": "", "a.yaml": "" }))).toBe("ArchiveUnsafePath");
    await writeFile(join(dir, "broken.tgz"), gzipSync(Buffer.alloc(5000, 1)));
    expect(await refused(join(dir, "broken.tgz"))).toBe("ArchiveInvalid");
  });

  it("say what is wrong with the target", async () => {
    const root = await content({ "a.yaml": "" });
    expect((await runStrata(["bundle", "-f", root, "-t", `oci://${registry.host}/App`])).stderr).toContain(
      "[InvalidReference]",
    );
    registry.faults.add({ method: "HEAD", status: 403, times: 10 });
    registry.faults.add({ method: "POST", status: 403, times: 10 });
    expect(await refused(root)).toBe("PublishFailed");
  });
});
