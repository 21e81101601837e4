import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { MiB, noise } from "../testing/archives/pressure.ts";
import { BlockDeflater } from "./block-deflater.ts";

const text = Buffer.from(Array.from({ length: MiB / 16 }, (_, n) => `line ${n}\n`).join(""));
const blocks = {
  "a block of text": text.subarray(0, MiB),
  "another one, which repeats the first": text.subarray(0, MiB),
  "bytes that cannot be compressed": noise,
  "an empty block": Buffer.alloc(0),
  "a short block": Buffer.from("the end"),
};

describe("BlockDeflater", () => {
  it.each([
    ["all of deflate", constants.Z_DEFAULT_STRATEGY],
    ["runs and Huffman codes", constants.Z_RLE],
  ])("compresses each block as if it were the only one: %s", async (_, strategy) => {
    const deflater = new BlockDeflater({ level: 3, strategy });
    for (const block of Object.values(blocks)) {
      const alone = deflateRawSync(block, { level: 3, strategy, finishFlush: constants.Z_SYNC_FLUSH });
      expect(Buffer.concat(await deflater.deflate(block)).equals(alone)).toBe(true);
    }
    deflater.close();
  });

  it("ends each block at a byte, so that others can follow", async () => {
    const deflater = new BlockDeflater({ level: 3, strategy: constants.Z_DEFAULT_STRATEGY });
    const pieces: Buffer[] = [];
    for (const block of Object.values(blocks)) pieces.push(...(await deflater.deflate(block)));
    deflater.close();
    const stream = Buffer.concat([...pieces, Buffer.from([3, 0])]);
    expect(inflateRawSync(stream).equals(Buffer.concat(Object.values(blocks)))).toBe(true);
  });

  it("says so when it is closed", async () => {
    const deflater = new BlockDeflater({ level: 3, strategy: constants.Z_RLE });
    deflater.close();
    await expect(deflater.deflate(Buffer.from("late"))).rejects.toThrow(/destroyed/);
  });
});
