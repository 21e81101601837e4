import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fuzzOne } from "./fuzz.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-fuzz-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

it("finds nothing in a hundred archives; `npm run fuzz` makes more, and asks Go as well", async () => {
  for (let seed = 1; seed <= 100; seed++) expect(await fuzzOne(seed, { dir, go: undefined })).toBeUndefined();
}, 60_000);
