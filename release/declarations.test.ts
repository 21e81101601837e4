import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { copyDeclarations } from "./declarations.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-declarations-"));
  await mkdir(join(dir, "from/inner"), { recursive: true });
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

async function copied(files: Readonly<Record<string, string>>): Promise<string[]> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir, "from", name), text);
  await copyDeclarations(join(dir, "from"), join(dir, "to"), ["entry.d.ts"]);
  const names = await readdir(join(dir, "to"), { recursive: true, withFileTypes: true });
  return names.flatMap((entry) => (entry.isFile() ? [entry.name] : [])).toSorted();
}

it("copies what the entries lead to, by the names that are there", async () => {
  const files = {
    "entry.d.ts": 'export type { A } from "./inner/a.ts";\nexport declare const b: import("./b.ts").B;\n',
    "inner/a.d.ts":
      'import type { Readable } from "node:stream";\nimport type { B } from "../b.ts";\nexport type A = B | Readable;\n',
    "b.d.ts": 'import type { A } from "./inner/a.ts";\nexport interface B { readonly a: A }\n',
    "private.d.ts": "export {};\n",
  };
  expect(await copied(files)).toEqual(["a.d.ts", "b.d.ts", "entry.d.ts"]);
  const entry = await readFile(join(dir, "to/entry.d.ts"), "utf8");
  expect(entry).toBe('export type { A } from "./inner/a.js";\nexport declare const b: import("./b.js").B;\n');
});

it("refuses types of packages, which nobody would have", async () => {
  const files = { "entry.d.ts": 'import type { Agent } from "undici";\nexport declare const a: Agent;\n' };
  await expect(copied(files)).rejects.toThrow("entry.d.ts shows types of undici: keep them inside");
});
