import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { defaultLimits } from "../config.ts";
import { onDisk, type DiskMood } from "../testing/disk.ts";
import {
  compressed,
  countedSource,
  MiB,
  noise,
  settled,
  tarOfNoise,
  type CountedSource,
} from "../testing/archives/pressure.ts";
import { budgetOf } from "../testing/archives/trees.ts";
import { zipOf } from "../testing/archives/zip.ts";
import { decompress, inflateMember, type Compression } from "./decompress.ts";
import { ignoreRules } from "./ignore.ts";
import { readTar } from "./read.ts";
import { readZip } from "./read-zip.ts";
import { Tree } from "./tree.ts";
import { unpackLayer } from "./unpack.ts";
import { VerbatimScan } from "./verbatim.ts";
import { writeArchive } from "./write.ts";

/**
 * Whatever the size of a layer, what is under way of it is a few MiB: whoever cannot go on holds back everything before
 * it. Each pipeline is stopped at its end, and what it has taken until then is counted at its beginning.
 */

const signal = new AbortController().signal;
/** Of every source: far more than any bound. */
const sourceMiB = 32;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-backpressure-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const compressions: Readonly<Record<Compression, (part: Buffer) => Buffer>> = {
  none: (part) => part,
  gzip: (part) => gzipSync(part, { level: 1 }),
  zstd: (part) => zstdCompressSync(part),
};
const kinds = Object.keys(compressions) as Compression[];
const layer = (compression: Compression): CountedSource =>
  countedSource(compressed(tarOfNoise(sourceMiB), compressions[compression]));

/**
 * Runs `work` on a disk that takes nothing until the count stands still, and returns the count then. After that the disk
 * works again, and `work` has to come to its end.
 */
async function onStalledDisk(count: () => number, work: () => Promise<unknown>): Promise<number> {
  const disk = Promise.withResolvers<DiskMood>();
  return await onDisk(
    dir,
    () => disk.promise,
    async () => {
      const done = work();
      const held = await settled(count);
      disk.resolve("good");
      await done;
      return held;
    },
  );
}

describe("decompression", () => {
  test.each(kinds)("%s: waits for its sink, 1 MiB at most ahead of it", async (compression) => {
    const { chunks, pulled } = layer(compression);
    const sink = Promise.withResolvers<void>();
    let given = 0;
    const done = decompress(compression, chunks, (chunk) => {
      given += chunk.length;
      return sink.promise;
    });
    const held = await settled(pulled);
    expect(held).toBeLessThanOrEqual(MiB);
    expect(given).toBeLessThanOrEqual(MiB);
    sink.resolve();
    await done;
    expect(given).toBe(sourceMiB * MiB + 512 + 1024);
  });

  test("makes no more of a bomb than its sink takes, 2 MiB at most ahead of it", async () => {
    const zeros = 64 * MiB;
    const bomb = gzipSync(Buffer.alloc(zeros)).subarray(10);
    const sink = Promise.withResolvers<void>();
    let given = 0;
    const member = inflateMember((chunk) => {
      given += chunk.length;
      return sink.promise;
    });
    const done = member.write(bomb);
    await settled(() => member.consumed);
    const expanded = (member.consumed / bomb.length) * zeros;
    expect(given).toBeLessThanOrEqual(256 * 1024);
    expect(expanded).toBeLessThanOrEqual(2 * MiB);
    sink.resolve();
    await done;
    await member.end();
    expect(given).toBe(zeros);
  });
});

describe("a verbatim scan", () => {
  test("takes no piece before it has judged what came before, 1 MiB at most behind", async () => {
    const whole = gzipSync(Buffer.concat([...tarOfNoise(sourceMiB)]), { level: 0 });
    let judged = 0;
    const budget = Object.assign(budgetOf({}, whole.length), {
      checkExpanded: (bytes: number) => void (judged = bytes),
    });
    const scan = new VerbatimScan(ignoreRules([], undefined), budget);
    let behind = 0;
    const { chunks, pulled } = countedSource([whole]);
    for await (const chunk of chunks) {
      await scan.write(chunk);
      // Nothing is compressed: the tar has as many bytes as the layer.
      behind = Math.max(behind, pulled() - judged);
    }
    expect(await scan.finish()).toMatchObject({ as: "verbatim" });
    expect(behind).toBeLessThanOrEqual(MiB);
  });
});

describe("unpacking", () => {
  test.each(kinds)("a tar, %s: waits for the disk, 3 MiB at most ahead of it", async (compression) => {
    const { chunks, pulled } = layer(compression);
    const request = { compression, spoolPath: join(dir, "spool"), budget: budgetOf({}, sourceMiB * MiB), signal };
    const held = await onStalledDisk(pulled, async () =>
      expect((await readTar(chunks, request)).tree.paths()).toEqual(["noise"]),
    );
    expect(held).toBeLessThanOrEqual(3 * MiB);
  });

  test.each<[string, () => Iterable<Buffer>, "raw" | "tree"]>([
    ["a layer that is not an archive", () => Array.from({ length: sourceMiB }, () => noise), "raw"],
    ["a zip file", () => [zipOf({ name: "noise", method: 0, content: wholeNoise() })], "tree"],
  ])("%s: waits for the disk, 3 MiB at most ahead of it", async (_, parts, content) => {
    const { chunks, pulled } = countedSource(parts());
    const size = sourceMiB * MiB;
    const held = await onStalledDisk(pulled, async () => {
      expect(
        await unpackLayer({ source: chunks, size, dir, index: 0, budget: budgetOf({}, size), signal }),
      ).toMatchObject({ content });
    });
    expect(held).toBeLessThanOrEqual(3 * MiB);
  });

  test.each([
    ["stored", 0],
    ["deflated", 8],
  ])("a %s file of a zip: waits for the disk, 3 MiB at most ahead of it", async (_, method) => {
    const zipPath = join(dir, "zip");
    await writeFile(zipPath, zipOf({ name: "zeros", method, content: Buffer.alloc(sourceMiB * MiB) }));
    let made = 0;
    const budget = Object.assign(budgetOf({}, sourceMiB * MiB), { spend: (bytes: number) => void (made += bytes) });
    const held = await onStalledDisk(
      () => made,
      async () => await readZip({ zipPath, spoolPath: join(dir, "spool"), budget, signal }),
    );
    expect(held).toBeLessThanOrEqual(3 * MiB);
    expect(made).toBe(sourceMiB * MiB);
  });
});

describe("writing an archive", () => {
  /** As many files as there are MiB, all with the same bytes. */
  async function treeOfNoise(): Promise<{ tree: Tree; taken: () => number }> {
    const body = { file: join(dir, "noise"), offset: 0, size: MiB };
    await writeFile(body.file, noise);
    const tree = new Tree(defaultLimits.maxEntries);
    for (let at = 0; at < sourceMiB; at++) tree.put(`file-${at}`, { kind: "file", executable: false, body });
    const get = vi.spyOn(tree.entries, "get");
    return { tree, taken: () => get.mock.calls.length * MiB };
  }

  test("waits for the disk, 8 MiB at most ahead of it", async () => {
    const { tree, taken } = await treeOfNoise();
    const held = await onStalledDisk(taken, async () => await writeArchive(tree, join(dir, "artifact"), signal));
    // At most four blocks with the compressors, one that is filled, one between, two that the disk has got.
    expect(held).toBeLessThanOrEqual(8 * MiB);
    expect(taken()).toBe(sourceMiB * MiB);
  });
});

function wholeNoise(): Buffer {
  return Buffer.concat(Array.from({ length: sourceMiB }, () => noise));
}
