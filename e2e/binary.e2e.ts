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
import { pushFixtures } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const built = fileURLToPath(new URL(`../dist/bin/strata-${process.platform}-${process.arch}`, import.meta.url));
const workspace = await openWorkspace();

/** Built by `npm run build:binary`; without it, this is skipped. */
describe.skipIf(!existsSync(built))("strata in one file", () => {
  let program: string;
  let registry: Registry;

  beforeAll(async () => {
    // Alone in a directory: nothing of the checkout is near it, and no Node is on its PATH.
    const dir = await workspace.directory("alone");
    program = join(dir, "strata");
    await copyFile(built, program);
    await chmod(program, 0o755);
    registry = await startRegistry(workspace, { name: "binary" });
    await pushFixtures(registry);
  });

  async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const child = spawn(program, args, {
      cwd: await workspace.directory("elsewhere"),
      stdio: ["ignore", "pipe", "pipe"],
      // Neither has a Docker configuration.
      env: { PATH: "/nowhere", HOME: "/nowhere", ...env },
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
      ["doctor", reference, "--insecure", "--no-such-flag"],
      ["tree", `oci://${registry.host}/nothing:1.0.0`, "--insecure"],
    ])
      expect(await run(args)).toEqual(await strata(args, { HOME: "/nowhere" }));
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

  it("trusts what the system trusts", async () => {
    const tls = await makeCertificate(workspace, "binary-tls");
    const secure = await startRegistry(workspace, { name: "binary-tls", storage: registry.storage, tls });
    const args = ["tree", `oci://${secure.host}/product:1.0.0`];
    expect((await run(args)).stderr).toContain("TlsFailed");
    expect(await run(args, { SSL_CERT_FILE: tls.certFile })).toMatchObject({ code: 0, stderr: "" });
  });
});
