import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { list } from "tar";
import { beforeAll, describe, expect, it } from "vitest";
import { libraryExamples } from "../src/testing/library-examples.ts";
import { startRegistry, testCa } from "../src/testing/registry/registry.ts";
import { openWorkspace } from "./workspace.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const execute = promisify(execFile);
const workspace = await openWorkspace();
const examples = libraryExamples();

/** Strict, and declarations are checked too: what they name has to be there. */
const compilerOptions = {
  module: "nodenext",
  target: "es2024",
  strict: true,
  exactOptionalPropertyTypes: true,
  skipLibCheck: false,
  noEmit: true,
  types: ["node"],
};

describe("the npm package", () => {
  let tarball: string;
  let consumer: string;

  beforeAll(async () => {
    const out = join(await workspace.directory("packed"), "package");
    await execute(process.execPath, ["release/build-package.ts", "--out", out], { cwd: root });
    tarball = `${out}.tgz`;
    consumer = await workspace.directory("consumer");
    await writeFile(join(consumer, "package.json"), JSON.stringify({ private: true, type: "module" }));
    await run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball]);
  });

  /** In the consumer's directory, with this Node and no configuration of anybody's. */
  async function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const path = [dirname(process.execPath), process.env["PATH"]].join(delimiter);
    return await execute(program, args, { cwd: consumer, env: { PATH: path, HOME: consumer, ...env } });
  }

  it("holds what people need, and nothing else", async () => {
    const names: string[] = [];
    await list({ file: tarball, onReadEntry: ({ path }) => void names.push(path.replace(/^package\//, "")) });
    expect(names).toEqual(expect.arrayContaining(["LICENSE", "README.md", "package.json", "bin/strata.js"]));
    const known =
      /^(?:LICENSE|README\.md|package\.json|bin\/strata\.js|(?:cli|library)\/[\w-]+\.js(?:\.LEGAL\.txt)?|types\/[\w/-]+\.d\.ts)$/;
    expect(names.filter((name) => !known.test(name))).toEqual([]);
    const manifest = JSON.parse(await readFile(join(consumer, "node_modules/strata/package.json"), "utf8")) as object;
    for (const field of ["private", "dependencies", "devDependencies", "scripts"])
      expect(manifest).not.toHaveProperty(field);
    // Nothing came along with it.
    expect((await readdir(join(consumer, "node_modules"))).filter((name) => !name.startsWith("."))).toEqual(["strata"]);
  });

  it("is the command line for npx", async () => {
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
    const installed = await run("npx", ["--offline", "strata", "--version"]);
    expect(installed.stdout).toMatch(new RegExp(`^strata ${version.replaceAll(".", "\\.")} \\(`));
    const layout = `oci-layout://${join(root, "src/testing/fixtures/oci/flux/app")}:1.1.0`;
    await run("npx", ["--offline", "strata", "build", layout, "-o", "out"]);
    expect(await readdir(join(consumer, "out"))).not.toEqual([]);
    const fresh = await run("npx", ["--offline", "--yes", `--package=${tarball}`, "strata", "--version"]);
    expect(fresh.stdout).toBe(installed.stdout);
  });

  describe("as a library", () => {
    let env: Readonly<Record<string, string>>;
    let host: string;

    beforeAll(async () => {
      const registry = await startRegistry({ fixtures: true, tls: {} });
      workspace.onEnd(() => registry.close());
      host = registry.host;
      await writeFile(join(consumer, "ca.crt"), testCa());
      env = { SSL_CERT_FILE: join(consumer, "ca.crt"), NODE_NO_WARNINGS: "1" };
      await mkdir(join(consumer, "node_modules/@types"));
      for (const name of ["@types/node", "undici-types"])
        await symlink(join(root, "node_modules", name), join(consumer, "node_modules", name));
      for (const [at, { code }] of examples.entries())
        await writeFile(join(consumer, `example-${at}.ts`), code.replaceAll("registry.example", host));
    });

    it("has types for moduleResolution nodenext", async () => {
      const tsc = join(root, "node_modules/.bin/tsc");
      await writeFile(join(consumer, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["example-*.ts"] }));
      await run(tsc, ["-p", "."]);
      const wrong = 'import { Registry } from "strata/registry";\nnew Registry({ insecure: "yes" });\n';
      await writeFile(join(consumer, "example-wrong.ts"), wrong);
      await expect(run(tsc, ["-p", "."])).rejects.toMatchObject({
        stdout: expect.stringContaining("example-wrong.ts(2,16): error TS2322") as string,
      });
    });

    it.each(examples.map(({ title, output }, at) => ({ title, output, at })))("runs $title", async ({ output, at }) => {
      const { stdout } = await run(process.execPath, [`example-${at}.ts`], env);
      expect(stdout).toBe(output);
    });

    it("throws errors of one class from both modules, and shows nothing else", async () => {
      const code = `
        import { CodedError } from "strata/oci";
        import { openLayout } from "strata/registry";
        console.log(await openLayout("nowhere").resolve("a").catch((error) => error instanceof CodedError));
        for (const path of ["strata", "strata/cli/strata.js", "strata/library/oci.js"])
          console.log(await import(path).catch(({ code }) => code));`;
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", code]);
      expect(stdout.trim().split("\n")).toEqual([
        "true",
        ...Array.from({ length: 3 }, () => "ERR_PACKAGE_PATH_NOT_EXPORTED"),
      ]);
    });
  });
});
