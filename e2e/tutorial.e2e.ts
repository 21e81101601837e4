import { execFile } from "node:child_process";
import { chmod, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { findBinary, findOptional } from "./binaries.ts";
import { startPlane } from "./cluster.ts";
import { type ControlPlane } from "./controlplane.ts";
import { startKustomizeController, startSourceController } from "./flux.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { startStrata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");
const workspace = await openWorkspace();
const oras = await findOptional("oras");

interface Block {
  readonly language: string;
  readonly text: string;
}

/** What a reader copies, in the order of the page. */
async function blocksOf(page: string): Promise<Block[]> {
  const text = await readFile(join(root, page), "utf8");
  return [...text.matchAll(/^```(sh|yaml)\n(.*?)^```/gms)].map(([, language = "", block = ""]) => ({
    language,
    text: block,
  }));
}

const nameOf = ({ text }: Block): string => /^# (\S+\.yaml)\n/.exec(text)?.[1] ?? "";

describe.skipIf(oras === undefined)("docs/tutorial.md", () => {
  let plane: ControlPlane;
  let registry: Registry;
  let dir: string;

  /** The reader's machine: the programs that the page names, and a registry of plain HTTP. */
  async function shell(commands: string): Promise<string> {
    const { stdout } = await run("bash", ["--norc", "-euo", "pipefail", "-c", here(commands)], {
      cwd: dir,
      env: { PATH: `${join(dir, "bin")}:${process.env["PATH"]}`, HOME: dir, KUBECONFIG: plane.kubeconfig },
      timeout: 100_000,
    });
    return stdout;
  }
  const here = (text: string): string =>
    text
      .replaceAll(/^(\s*)url: oci:\/\/registry\.example\/.*$/gm, "$&\n$1insecure: true")
      .replaceAll(/\boras push\b/g, "$& --plain-http")
      .replaceAll(/\bstrata (tree|build)\b.*$/gm, (line) => `${line} --insecure`)
      .replaceAll("registry.example", registry.host);

  beforeAll(async () => {
    [plane, registry] = await Promise.all([startPlane(workspace), startRegistry(workspace)]);
    dir = await workspace.directory("tutorial");
    const bin = await workspace.directory("tutorial/bin");
    await symlink(await findBinary("kubectl"), join(bin, "kubectl"));
    await symlink(oras ?? "", join(bin, "oras"));
    const program = join(bin, "strata");
    await writeFile(program, `#!/bin/sh\nexec "${process.execPath}" "${join(root, "dist/strata.js")}" "$@"\n`);
    await chmod(program, 0o755);
    await startStrata(workspace, plane);
    await Promise.all([startSourceController(workspace, plane), startKustomizeController(workspace, plane)]);
  });

  it("works as it is written, from the first command to the last", async () => {
    const said: string[] = [];
    for (const block of await blocksOf("docs/tutorial.md")) {
      if (block.language === "yaml") await writeFile(join(dir, nameOf(block)), here(block.text));
      else said.push(await shell(block.text));
    }
    const all = said.join("");
    expect(all).toContain("greeting.yaml\nsettings.yaml\n");
    expect(all).toMatch(/configmap\/greeting condition met/);
    expect(all).toContain("application/vnd.example.manifest.v1+yaml");
    expect(all).toContain("layerSelector matches no layer of");
  });
});
