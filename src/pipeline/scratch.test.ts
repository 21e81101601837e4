import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openScratch } from "./scratch.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-scratch-"));
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

it("gives nobody a directory that another has, or has left something in", async () => {
  const open = await openScratch(root);
  const [a, b] = [await open(), await open()];
  expect(a.dir).not.toBe(b.dir);
  await writeFile(join(a.dir, "left"), "of a");
  await a.remove();
  const next = await open();
  expect([a.dir, b.dir]).not.toContain(next.dir);
  expect(await readdir(next.dir)).toEqual([]);
});

it("gives one on that was found empty", async () => {
  const open = await openScratch(root);
  const first = await open();
  await first.remove();
  expect((await open()).dir).toBe(first.dir);
});
