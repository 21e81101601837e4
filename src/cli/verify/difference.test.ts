import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultLimits } from "../../config.ts";
import { tarOf, type TarFields } from "../../testing/archives/tar.ts";
import { firstDifference } from "./difference.ts";

let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-difference-"));
});
afterAll(async () => await rm(dir, { recursive: true, force: true }));

async function archive(name: string, ...entries: TarFields[]) {
  const path = join(dir, name);
  const bytes = gzipSync(tarOf(...entries));
  await writeFile(path, bytes);
  return { path, size: bytes.length };
}

it.each([
  ["a", undefined],
  ["b", { path: "link", what: "is a symlink that leads elsewhere" }],
])("a link to a that was rebuilt to %s", async (link, expected) => {
  const archives = {
    pushed: await archive("pushed", { name: "link", type: "2", link: "a" }),
    rebuilt: await archive("rebuilt", { name: "link", type: "2", link }),
  };
  const context = { limits: defaultLimits, signal: new AbortController().signal };
  expect(await firstDifference(archives, context)).toEqual(expected);
});
