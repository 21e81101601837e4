import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { filesOfDirectory } from "./artifact.ts";
import { makeCertificate } from "./certificate.ts";
import { startCluster, type Cluster } from "./cluster.ts";
import { artifactRepository, namespace, readyRepository } from "./repositories.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { answers, freePort, startServer } from "./server.ts";
import { startStrata, strata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const fixture = (name: string): string => fileURLToPath(new URL(`../src/testing/fixtures/${name}`, import.meta.url));
const built = fileURLToPath(new URL(`../dist/bin/strata-${process.platform}-${process.arch}`, import.meta.url));
const workspace = await openWorkspace();
/** Without a Docker configuration. */
const home = await workspace.directory("home");

/** Built by `npm run build:binary`; without it, this is skipped. */
describe.skipIf(!existsSync(built))("strata in one file", () => {
  let program: string;
  let cluster: Cluster;
  let registry: Registry;
  /** The commands that were run. */
  const ran = new Set<string>();

  beforeAll(async () => {
    // Alone in a directory: nothing of the checkout is near it, and no Node is on its PATH.
    const dir = await workspace.directory("alone");
    program = join(dir, "strata");
    await copyFile(built, program);
    await chmod(program, 0o755);
    cluster = await startCluster(workspace);
    ({ registry } = cluster);
    await startStrata(workspace, cluster.plane);
  });

  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    ran.add(args[0]!);
    const child = spawn(program, args, {
      cwd: await workspace.directory("elsewhere"),
      stdio: ["ignore", "pipe", "pipe"],
      // Neither has a Docker configuration.
      env: { PATH: "/nowhere", HOME: home, ...env },
    });
    const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    return { code: Number(code ?? 1), stdout, stderr };
  }

  it("says which one it is", async () => {
    const { version } = JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as {
      version: string;
    };
    const { code, stdout } = await run(["--version"]);
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`strata ${version} (`) as string,
    });
  });

  it("explains every command as the script does", async () => {
    // It loads every command, and with them nearly every part.
    const reference = await run(["help", "--markdown"]);
    expect(reference).toEqual(await strata(["help", "--markdown"]));
    for (const shell of ["bash", "zsh", "fish"])
      expect(await run(["completion", shell])).toEqual(await strata(["completion", shell]));
  });

  it("draws, selects and writes init's manifest as the script does", async () => {
    const reference = `oci://${registry.host}/product:1.0.0`;
    for (const args of [
      ["tree", reference, "--insecure"],
      ["tree", reference, "--insecure", "--output", "json"],
      ["build", reference, "--insecure", "--dry-run"],
      ["build", reference, "--insecure", "--platform", "linux/arm64", "--dry-run"],
      ["init", reference, "--insecure", "--artifact-type", "application/vnd.cncf.flux.config.v1+json"],
      ["list", `oci://${registry.host}/flux/app`, "--semver", "1.x"],
      ["diff", `oci://${registry.host}/flux/app:1.0.0`, `oci://${registry.host}/flux/app:1.1.0`],
      ["doctor", reference, "--insecure", "--no-such-flag"],
      ["tree", `oci://${registry.host}/nothing:1.0.0`, "--insecure"],
    ])
      expect(await run(args)).toEqual(await strata(args, { HOME: home }));
  });

  it("writes many files by threads", async () => {
    const source = await workspace.directory("many");
    await mkdir(join(source, "a"));
    await mkdir(join(source, "b"));
    for (let n = 0; n < 1000; n++) await writeFile(join(source, n % 2 === 0 ? "a" : "b", `${n}.yaml`), `n: ${n}\n`);
    const reference = `oci://${registry.host}/many:1.0.0`;
    expect(await run(["bundle", "-f", source, "-t", reference, "--insecure"])).toMatchObject({ code: 0, stderr: "" });
    const out = join(await workspace.directory("out"), "many");
    expect(await run(["build", reference, "--insecure", "-o", out])).toMatchObject({ code: 0, stderr: "" });
    expect(await filesOfDirectory(out)).toEqual(await filesOfDirectory(source));
  });

  it("copies to a layout, tags and asks a registry", async () => {
    const layout = `oci-layout://${await workspace.directory("layout")}`;
    const reference = `oci://${registry.host}/product:1.0.0`;
    expect(await run(["copy", reference, layout, "--insecure"])).toMatchObject({ code: 0 });
    expect(await run(["tag", `${layout}:1.0.0`, "stable"])).toMatchObject({ code: 0 });
    const tree = await run(["tree", `${layout}:stable`]);
    expect(tree).toMatchObject({ code: 0, stderr: "" });
    expect(await run(["doctor", reference, "--insecure"])).toMatchObject({ code: 0 });
  });

  it.each([
    ["bundle", ["--key", fixture("cosign.pub")]],
    ["legacy", ["--key", fixture("cosign.pub")]],
    ["index", ["--key", fixture("cosign.pub")]],
    ["bundle", ["--key", fixture("cosign.pub"), "--output", "json"]],
    ["notation-jws", ["--certificate", fixture("notation.crt")]],
    ["notation-cose", ["--certificate", fixture("notation.crt")]],
    ["bundle", ["--issuer", "https://example", "--subject", ".*", "--no-sigstore-tuf"]],
  ])("verifies signed/%s as the script does: %j", async (name, flags) => {
    const reference = `oci://${registry.host}/signed/${name}:1.0.0`;
    const policy = join(await workspace.directory("policy"), "trustpolicy.json");
    const statement = { name: "all", registryScopes: ["*"], trustStores: ["ca:fixtures"], trustedIdentities: ["*"] };
    const signatureVerification = { level: "strict", override: { expiry: "log", authenticTimestamp: "log" } };
    const trustPolicies = [{ ...statement, signatureVerification }];
    await writeFile(policy, JSON.stringify({ version: "1.0", trustPolicies }));
    const byNotation = name.startsWith("notation") ? ["--trust-policy", policy] : [];
    const args = ["verify", reference, "--insecure", ...flags, ...byNotation];
    const verified = await run(args);
    expect(verified).toEqual(await strata(args, { HOME: home }));
    expect(verified.code).toBe(flags.includes("--issuer") ? 3 : 0);
  });

  it("locks and migrates manifests", async () => {
    const file = join(await workspace.directory("manifests"), "app.yaml");
    const object = artifactRepository("app", { registry, path: "flux/app" }, { ref: { semver: "1.x" } });
    await writeFile(file, JSON.stringify(object));
    expect(await run(["lock", "-f", file])).toMatchObject({ code: 0, stdout: "" });
    expect(await readFile(`${file}.lock`, "utf8")).toContain("sha256:");
    const old = { ...object, apiVersion: "source.toolkit.fluxcd.io/v1", kind: "OCIRepository" };
    const migrated = join(await workspace.directory("manifests"), "old.yaml");
    await writeFile(migrated, JSON.stringify(old));
    const { code, stdout } = await run(["migrate", "-f", migrated]);
    expect(code).toBe(0);
    expect(stdout).toContain("ArtifactRepository");
  });

  it("serves a directory of manifests until it is stopped", async () => {
    const dir = await workspace.directory("served");
    const object = artifactRepository("app", { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } });
    await writeFile(join(dir, "app.yaml"), JSON.stringify(object));
    const address = `127.0.0.1:${await freePort()}`;
    ran.add("serve");
    const server = await startServer({
      name: "serve",
      command: program,
      args: ["serve", "-f", dir, "--listen", address],
      // The shell around it wants its own programs.
      env: { PATH: "/usr/bin:/bin", HOME: home },
      logs: workspace.logs,
      ready: () => answers(`http://${address}/`),
    });
    workspace.onEnd(() => server.kill());
    const url = `http://${address}/artifactrepository/${namespace}/app/latest.tar.gz`;
    await eventually("the artifact is served", async () => (await fetch(url)).status === 200);
    await server.stop();
  });

  it("speaks to a cluster", async () => {
    const { plane } = cluster;
    const kubeconfig = { KUBECONFIG: plane.kubeconfig };
    await plane.admin.create(artifactRepository("app", { registry, path: "flux/app" }, { ref: { tag: "1.0.0" } }));
    await readyRepository(plane, "app");
    const asked = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await run([...args, "-n", namespace], kubeconfig);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: expect.not.stringContaining("error") as string });
      return stdout;
    };
    expect(await asked("get")).toMatch(/^app .*True .*stored artifact/m);
    expect(await asked("describe", "app")).toContain("flux/app");
    expect(await asked("explain", "app")).toMatch(/^default\/app is ready\n/);
    await asked("suspend", "app");
    expect(await asked("get", "-o", "json")).toContain('"suspend": true');
    await asked("resume", "app");
    await asked("reconcile", "app");
    const json = ["get", "-n", namespace, "-o", "json"];
    expect(await run(json, kubeconfig)).toEqual(await strata(json, kubeconfig));
    expect(await run(["get"], { KUBECONFIG: "/nowhere/config" })).toEqual(
      await strata(["get"], { KUBECONFIG: "/nowhere/config", HOME: home }),
    );
  });

  it("trusts what the system trusts", async () => {
    const tls = await makeCertificate(workspace, "binary-tls");
    const secure = await startRegistry(workspace, { name: "binary-tls", storage: registry.storage, tls });
    const args = ["tree", `oci://${secure.host}/product:1.0.0`];
    expect((await run(args)).stderr).toContain("TlsFailed");
    expect(await run(args, { SSL_CERT_FILE: tls.certFile })).toMatchObject({ code: 0, stderr: "" });
  });

  it("was run through every command", async () => {
    const { stdout } = await run(["--help"]);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(([, name = ""]) => name);
    expect(commands.length).toBeGreaterThan(20);
    // The same by another name.
    const others = new Set(["pull", "push"]);
    expect(commands.filter((name) => !ran.has(name) && !others.has(name))).toEqual([]);
  });
});
