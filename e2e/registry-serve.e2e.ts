import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { filesOfTarball } from "./artifact.ts";
import { itConforms } from "./conformance.ts";
import { dockerLogin, strataJson, type BuildReport, type Environment } from "./commands.ts";
import { digestOf, pushFixtures } from "./push.ts";
import { startRegistry } from "./registry.ts";
import { answers, freePort, startServer, type Server } from "./server.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const samples = fileURLToPath(new URL("../config/samples", import.meta.url));
const bundle = fileURLToPath(new URL("../dist/strata.js", import.meta.url));

let dir: string;
let names: readonly string[];
let login: Environment;
let server: Server;
let url: string;
let ociHost: string;

/** The samples, reading from a registry that asks for a password. */
async function copySamples(host: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const file of (await readdir(samples)).filter((name) => name.endsWith(".yaml"))) {
    const text = (await readFile(join(samples, file), "utf8")).replaceAll("registry.strata.local:5000", host);
    await writeFile(join(dir, file), text);
    const objects = parseAllDocuments(text).map(
      (document) => document.toJS() as { kind: string; metadata: { name: string } },
    );
    found.push(...objects.filter(({ kind }) => kind === "ArtifactRepository").map(({ metadata }) => metadata.name));
  }
  return found;
}

beforeAll(async () => {
  dir = await workspace.directory("manifests");
  const open = await startRegistry(workspace, { name: "open" });
  await pushFixtures(open);
  const registry = await startRegistry(workspace, { name: "htpasswd", storage: open.storage, auth: "htpasswd" });
  login = await dockerLogin(workspace, "docker", [registry.host]);
  names = await copySamples(registry.host);
  const address = `127.0.0.1:${await freePort()}`;
  ociHost = `127.0.0.1:${await freePort()}`;
  url = `http://${address}`;
  server = await startServer({
    name: "serve",
    command: process.execPath,
    args: [bundle, "serve", "-f", dir, "--listen", address, "--oci-listen", ociHost],
    env: login,
    logs: workspace.logs,
    ready: () => answers(`${url}/`),
  });
  workspace.onEnd(() => server.kill());
});

async function latest(name: string): Promise<Buffer | undefined> {
  const response = await fetch(`${url}/artifactrepository/default/${name}/latest.tar.gz`, {
    signal: AbortSignal.timeout(10_000),
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return response.status === 200 ? bytes : undefined;
}

async function latestFiles(name: string): Promise<string[]> {
  const bytes = await latest(name);
  return bytes === undefined ? [] : Object.keys(await filesOfTarball(bytes));
}

describe("strata serve", () => {
  it("serves an artifact for every sample", async () => {
    expect(names.length).toBeGreaterThan(10);
    const missing = await eventually("all artifacts", async () => {
      const served = await Promise.all(names.map(async (name) => ((await latest(name)) === undefined ? [name] : [])));
      return served.flat().length === 0 && served.flat();
    });
    expect(missing).toEqual([]);
  });

  it.each<[name: string, files: readonly string[]]>([
    ["flux-app-manifests-only", ["deploy/configmap.yaml", "deploy/kustomization.yaml"]],
    ["kyverno-policies", ["clusterpolicy-a.yaml", "clusterpolicy-b.yaml"]],
    ["oras-dir-per-layer", ["layer-0/data.json", "layer-1/dir/b.txt", "layer-1/dir/sub/x.yaml", "layer-2/policy.rego"]],
    ["oras-one-file", ["settings-1.0.0.json"]],
    ["product-by-annotation", ["dir/b.txt", "dir/sub/x.yaml"]],
    ["image-overlay", ["etc/hard", "etc/one", "etc/three", "opt/app.yaml", "opt/arch"]],
    ["signed-app", ["deploy/configmap.yaml", "deploy/kustomization.yaml", "docs/notes.md"]],
  ])("serves the files of %s", async (name, files) => {
    expect(await latestFiles(name)).toEqual(files);
  });

  it("serves what strata build makes of the same file", async () => {
    for (const name of ["timoni-module", "helm-chart"]) {
      const report = await strataJson<BuildReport>(
        ["build", "-f", join(dir, `${name}.yaml`), "-o", join(workspace.dir, `${name}.tar.gz`)],
        login,
      );
      expect(digestOf((await latest(name))!)).toBe(report.digest);
    }
  });

  it("serves it as a registry, too", async () => {
    const report = await strataJson<BuildReport>([
      "build",
      `oci://${ociHost}/default/timoni-module`,
      "--insecure",
      "-o",
      join(workspace.dir, "pulled.tar.gz"),
    ]);
    expect(report.digest).toBe(digestOf((await latest("timoni-module"))!));
  });

  itConforms(workspace, () => ({ host: ociHost, repository: "default/timoni-module" }));
});

describe("a change in the directory", () => {
  it("takes effect at once", async () => {
    const path = join(dir, "oras-one-file.yaml");
    await writeFile(path, (await readFile(path, "utf8")).replace("settings-{tag}", "renamed"));
    await eventually("the new name", async () => (await latestFiles("oras-one-file"))[0] === "renamed.json");
  });

  it("that is not a manifest is told of, and disturbs nothing", async () => {
    await writeFile(join(dir, "broken.yaml"), "kind: [");
    await eventually("the complaint", async () => (await server.log()).includes("! broken.yaml:1"));
    expect(await latestFiles("flux-app")).toContain("deploy/kustomization.yaml");
  });

  it("that removes an object removes its artifact", async () => {
    await rm(join(dir, "flux-app-by-digest.yaml"));
    await eventually("its end", async () => (await latest("flux-app-by-digest")) === undefined);
  });

  it("and the end of the process are orderly", async () => {
    // As a process ends that SIGTERM has stopped.
    expect(await server.stop()).toBe(143);
    expect(await server.log()).not.toContain("e2e-password");
  });
});
