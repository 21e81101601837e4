import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect } from "vitest";
import { filesOfDirectory, filesOfTarball } from "./artifact.ts";
import { clientsIn, itHas } from "./clients.ts";
import { strataJson, type BuildReport } from "./commands.ts";
import { digestOf, pushFixtures } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { answers, freePort, startServer } from "./server.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const cwd = await workspace.directory("work");
const run = clientsIn(workspace, cwd);
const at = (...path: string[]): string => join(cwd, ...path);

let registry: Registry;
/** `strata serve` of the registry's fixtures, as a registry. */
let endpoint: string;

beforeAll(async () => {
  await mkdir(at("files", "sub"), { recursive: true });
  await writeFile(at("files", "one.yaml"), "kind: One\n");
  await writeFile(at("files", "sub", "two.yaml"), "kind: Two\n");
  registry = await startRegistry(workspace);
  await pushFixtures(registry);
  endpoint = await serve();
});

async function serve(): Promise<string> {
  const manifests = await workspace.directory("manifests");
  for (const [name, path, tag] of [
    ["app", "flux/app", "1.0.0"],
    ["chart", "helm/chart", "0.1.0"],
  ] as const) {
    const spec = { url: `oci://${registry.host}/${path}`, interval: "1h", insecure: true, ref: { tag } };
    const object = { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name }, spec };
    await writeFile(join(manifests, `${name}.yaml`), JSON.stringify(object));
  }
  const [artifacts, oci] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const server = await startServer({
    name: "serve",
    command: process.execPath,
    args: [
      fileURLToPath(new URL("../dist/strata.js", import.meta.url)),
      "serve",
      "-f",
      manifests,
      "--listen",
      artifacts,
      "--oci-listen",
      oci,
    ],
    logs: workspace.logs,
    ready: async () =>
      (await answers(`http://${oci}/v2/default/app/manifests/latest`)) &&
      (await answers(`http://${oci}/v2/default/chart/manifests/latest`)),
  });
  workspace.onEnd(() => server.kill());
  return oci;
}

/** What `strata build` makes of an artifact: the files, and the tarball that it publishes. */
async function built(path: string, ...args: readonly string[]) {
  const out = at("built", path.replaceAll(/[/:]/g, "-"));
  await mkdir(at("built"), { recursive: true });
  const command = ["build", `oci://${registry.host}/${path}`, "--insecure", ...args];
  const report = await strataJson<BuildReport>([...command, "-o", `${out}.tar.gz`]);
  const tarball = await readFile(`${out}.tar.gz`);
  return { report, tarball, files: await filesOfTarball(tarball) };
}

const regctl = (host: string, ...args: readonly string[]): Promise<string> =>
  run("regctl", "--host", `reg=${host},tls=disabled`, ...args);

describe("Strata reads what is pushed by", () => {
  itHas("flux")("flux", async () => {
    const target = `oci://${registry.host}/theirs/flux:1.0.0`;
    const from = ["--path", "files", "--source", "https://git.example/app", "--revision", "main@sha1:0123"];
    await run("flux", "push", "artifact", target, ...from, "--insecure-registry");
    const { report, files } = await built("theirs/flux:1.0.0");
    expect(report).toMatchObject({ profile: "flux", operation: "Extract" });
    expect(files).toEqual(await filesOfDirectory(at("files")));
  });

  itHas("helm")("helm: the chart, byte for byte", async () => {
    await run("helm", "create", "app");
    await run("helm", "package", "app");
    await run("helm", "push", "app-0.1.0.tgz", `oci://${registry.host}/theirs`, "--plain-http");
    const { report, tarball } = await built("theirs/app:0.1.0");
    expect(report).toMatchObject({ profile: "helm", operation: "Copy" });
    expect(tarball).toEqual(await readFile(at("app-0.1.0.tgz")));
  });

  itHas("oras")("oras: files and directories", async () => {
    await run("oras", "push", "--plain-http", `${registry.host}/theirs/oras:1.0.0`, "files/one.yaml", "files/sub");
    const { report, files } = await built("theirs/oras:1.0.0");
    expect(report).toMatchObject({ profile: "oras", operation: "ExtractAll" });
    const { "one.yaml": one, ...sub } = await filesOfDirectory(at("files"));
    expect(files).toEqual({
      "files/one.yaml": one,
      ...Object.fromEntries(Object.entries(sub).map(([path, sum]) => [`files/${path}`, sum])),
    });
  });

  itHas("regctl")("regctl", async () => {
    const args = ["--artifact-type", "application/vnd.example", "-f", "files/one.yaml", "--file-title"];
    await regctl(registry.host, "artifact", "put", ...args, `${registry.host}/theirs/regctl:1.0.0`);
    expect(Object.values((await built("theirs/regctl:1.0.0")).files)).toEqual([
      (await filesOfDirectory(at("files")))["one.yaml"],
    ]);
  });

  itHas("crane")("crane: an image's filesystem", async () => {
    const tarball = await built("theirs/regctl:1.0.0").then(({ tarball }) => tarball);
    await writeFile(at("layer.tar.gz"), tarball);
    await run("crane", "append", "--oci-empty-base", "-f", "layer.tar.gz", "-t", `${registry.host}/theirs/crane:1.0.0`);
    const { report, files } = await built("theirs/crane:1.0.0");
    expect(report).toMatchObject({ profile: "image", operation: "ExtractAll" });
    expect(files).toEqual(await filesOfTarball(tarball));
  });

  itHas("cosign")("cosign: its signature is believed, and no other", async () => {
    await run("cosign", "generate-key-pair");
    await strataJson([
      "copy",
      `oci://${registry.host}/flux/app:1.0.0`,
      `oci://${registry.host}/theirs/signed`,
      "--insecure",
    ]);
    const flags = ["--yes", "--tlog-upload=false", "--use-signing-config=false", "--allow-http-registry"];
    await run("cosign", "sign", "--key", "cosign.key", ...flags, `${registry.host}/theirs/signed:1.0.0`);
    const other = await readFile(new URL("../src/testing/fixtures/cosign.pub", import.meta.url), "utf8");
    const key = await readFile(at("cosign.pub"), "utf8");
    expect((await builtWith(key)).report).toMatchObject({ operation: "Extract" });
    await expect(builtWith(other)).rejects.toThrow(/VerificationFailed/);
  });

  async function builtWith(key: string): Promise<{ report: BuildReport }> {
    const verify = { provider: "cosign", secretRef: { name: "keys" } };
    const url = `oci://${registry.host}/theirs/signed`;
    const spec = { url, interval: "1h", insecure: true, ref: { tag: "1.0.0" }, verify };
    const documents = [
      { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "signed" }, spec },
      { apiVersion: "v1", kind: "Secret", metadata: { name: "keys" }, stringData: { "cosign.pub": key } },
    ];
    await writeFile(at("signed.yaml"), documents.map((document) => JSON.stringify(document)).join("\n---\n"));
    return { report: await strataJson(["build", "-f", at("signed.yaml"), "-o", at("signed.tar.gz")]) };
  }
});

describe("what Strata pushes is read by", () => {
  let app: string;
  let pushed: { readonly digest: string; readonly layer: { readonly digest: string } };
  beforeAll(async () => {
    app = `${registry.host}/ours/app:1.0.0`;
    pushed = await strataJson(["bundle", "-f", at("files"), "-t", `oci://${app}`, "--insecure"]);
  });

  itHas("flux")("flux", async () => {
    await mkdir(at("pulled-by-flux"));
    await run("flux", "pull", "artifact", `oci://${app}`, "-o", "pulled-by-flux", "--insecure-registry");
    expect(await filesOfDirectory(at("pulled-by-flux"))).toEqual(await filesOfDirectory(at("files")));
  });

  itHas("helm")("helm: a chart that was copied", async () => {
    const to = `oci://${registry.host}/ours/chart`;
    await strataJson(["copy", `oci://${registry.host}/helm/chart:0.1.0`, to, "--insecure"]);
    expect(await run("helm", "show", "chart", to, "--version", "0.1.0", "--plain-http")).toContain("name: chart");
  });

  itHas("oras")("oras", async () => {
    await run("oras", "copy", "--from-plain-http", "--to-oci-layout", app, "copied-by-oras:1.0.0");
    expect(digestOf(await readFile(at("copied-by-oras", "blobs", ...pushed.layer.digest.split(":"))))).toBe(
      pushed.layer.digest,
    );
  });

  itHas("cosign")("cosign, signature and all", async () => {
    await run("cosign", "generate-key-pair", "--output-key-prefix", "ours");
    const args = ["-f", at("files"), "-t", `oci://${registry.host}/ours/signed:1.0.0`, "--sign-key", at("ours.key")];
    await strataJson(["bundle", ...args, "--insecure"], { COSIGN_PASSWORD: "e2e" });
    const check = ["verify", "--insecure-ignore-tlog", "--allow-http-registry", `${registry.host}/ours/signed:1.0.0`];
    expect(await run("cosign", ...check, "--key", "ours.pub")).toContain(pushed.digest);
    await expect(run("cosign", ...check, "--key", "cosign.pub")).rejects.toThrow(/no matching signatures|failed/i);
  });

  itHas("regctl")("regctl", async () => {
    await mkdir(at("pulled-by-regctl"));
    await regctl(registry.host, "artifact", "get", app, "--output", "pulled-by-regctl");
    const [layer = ""] = Object.values(await filesOfDirectory(at("pulled-by-regctl")));
    expect(`sha256:${layer}`).toBe(pushed.layer.digest);
  });

  itHas("crane")("crane", async () => {
    await run("crane", "validate", "--remote", app);
    expect(await run("crane", "digest", app)).toBe(pushed.digest);
  });
});

describe("what Strata serves is read by", () => {
  itHas("flux")("flux", async () => {
    await mkdir(at("served-to-flux"));
    await run(
      "flux",
      "pull",
      "artifact",
      `oci://${endpoint}/default/app:1.0.0`,
      "-o",
      "served-to-flux",
      "--insecure-registry",
    );
    expect(await filesOfDirectory(at("served-to-flux"))).toEqual((await built("flux/app:1.0.0")).files);
  });

  itHas("helm")("helm: the chart, byte for byte", async () => {
    await mkdir(at("served"));
    await run("helm", "pull", `oci://${endpoint}/default/chart`, "--version", "0.1.0", "--plain-http", "-d", "served");
    expect(await readFile(at("served", "chart-0.1.0.tgz"))).toEqual((await built("helm/chart:0.1.0")).tarball);
  });

  itHas("oras")("oras", async () => {
    await run(
      "oras",
      "copy",
      "--from-plain-http",
      "--to-oci-layout",
      `${endpoint}/default/app:1.0.0`,
      "served-to-oras:1",
    );
    expect(await run("oras", "repo", "tags", "--plain-http", `${endpoint}/default/app`)).toBe("1.0.0\nlatest");
  });

  itHas("cosign")("cosign, which finds no signature", async () => {
    const args = ["verify", "--key", "ours.pub", "--insecure-ignore-tlog", "--allow-http-registry"];
    await expect(run("cosign", ...args, `${endpoint}/default/app:1.0.0`)).rejects.toThrow(/no signatures found/);
  });

  itHas("regctl")("regctl", async () => {
    await regctl(endpoint, "image", "copy", `${endpoint}/default/app:1.0.0`, "ocidir://served-to-regctl:1.0.0");
    expect(await regctl(endpoint, "tag", "ls", `${endpoint}/default/app`)).toBe("1.0.0\nlatest");
  });

  itHas("crane")("crane", async () => {
    await run("crane", "validate", "--remote", `${endpoint}/default/chart:0.1.0`);
  });
});
