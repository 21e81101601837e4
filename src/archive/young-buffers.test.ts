import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { MiB } from "../testing/archives/pressure.ts";
import { decompress } from "./decompress.ts";

test("what a decompressor has given out does not pile up", async () => {
  const member = gzipSync(Buffer.alloc(MiB));
  async function* members(): AsyncGenerator<Buffer> {
    for (let made = 0; made < 256; made++) yield await Promise.resolve(member);
  }
  const before = process.memoryUsage().arrayBuffers;
  let given = 0;
  let most = 0;
  await decompress("gzip", members(), (chunk) => {
    given += chunk.length;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    return undefined;
  });
  expect(given).toBe(256 * MiB);
  expect(most).toBeLessThan(24 * MiB);
});
