import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { onDisk } from "../testing/disk.ts";
import { SpoolReaders } from "./spool-readers.ts";
import { SpoolReader, SpoolWriter, storageFailed } from "./spool.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-spool-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

async function spooled(chunks: readonly Buffer[]): Promise<Buffer> {
  const writer = await SpoolWriter.create(join(dir, "spool"));
  for (const chunk of chunks) await writer.write(chunk);
  await writer.close();
  expect(writer.size).toBe(Buffer.concat(chunks).length);
  return readFile(writer.path);
}

describe("writing", () => {
  test.each<[string, readonly Buffer[]]>([
    ["nothing", []],
    ["small pieces", Array.from({ length: 5000 }, (_, i) => Buffer.from(`piece ${i};`))],
    ["large pieces", Array.from({ length: 5 }, (_, i) => Buffer.alloc(1_500_000, i))],
    [
      "large and small ones",
      [Buffer.alloc(2_000_000, 1), Buffer.from("x"), Buffer.alloc(2_000_000, 2), Buffer.from("y")],
    ],
  ])("%s, in order", async (_, chunks) => {
    expect((await spooled(chunks)).equals(Buffer.concat(chunks))).toBe(true);
  });

  test("each piece is given back once it is in the file", async () => {
    const used: Buffer[] = [];
    const writer = await SpoolWriter.create(join(dir, "spool"), (piece) => {
      expect(writer.written).toBeGreaterThan(0);
      used.push(Buffer.from(piece));
      piece.fill(0);
    });
    const pieces = Array.from({ length: 100 }, (_, n) => Buffer.alloc(10_000, n));
    for (const piece of pieces) await writer.write(Buffer.from(piece));
    await writer.close();
    expect(used).toEqual(pieces);
    expect((await readFile(writer.path)).equals(Buffer.concat(pieces))).toBe(true);
  });

  test("a failure comes out of the next write or of close, and is not left unhandled", async () => {
    const unhandled: unknown[] = [];
    const note = (error: unknown): void => void unhandled.push(error);
    process.on("unhandledRejection", note);
    const outcome = await onDisk(
      dir,
      () => "full",
      async () => {
        const writer = await SpoolWriter.create(join(dir, "spool"));
        try {
          for (let i = 0; i < 4; i++) {
            // Whoever looks at the bytes meanwhile awaits the write only afterwards.
            const written = writer.write(Buffer.alloc(1_100_000));
            await new Promise((resolve) => setTimeout(resolve, 5));
            await written;
          }
          await writer.close();
          return "written";
        } catch (error) {
          await writer.abandon();
          return (error as { code: string }).code;
        }
      },
    );
    process.off("unhandledRejection", note);
    expect([outcome, unhandled]).toEqual(["StorageFailed", []]);
  });

  test("close tells of a failure of the last write", async () => {
    const closing = onDisk(
      dir,
      () => "full",
      async () => {
        const writer = await SpoolWriter.create(join(dir, "spool"));
        void writer.write(Buffer.from("x"));
        await writer.close();
      },
    );
    await expect(closing).rejects.toMatchObject({ code: "StorageFailed" });
  });

  test("a disk that takes ten bytes at a time", async () => {
    const chunks = [Buffer.from("0123456789abcdef"), Buffer.from("ghi")];
    expect(
      (
        await onDisk(
          dir,
          () => "short",
          () => spooled(chunks),
        )
      ).toString(),
    ).toBe("0123456789abcdefghi");
  });
});

describe("reading", () => {
  const bytes = Buffer.alloc(3_000_000);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(at, at);

  test("ranges in any order and of any length", async () => {
    const file = join(dir, "file");
    await writeFile(file, bytes);
    const reader = new SpoolReader(file);
    for (const [offset, length] of [
      [0, 10],
      [10, 10],
      [20, 2_000_000],
      [2_999_990, 100],
      [5, 1],
      [1_048_000, 2000],
      [1_048_576, 1],
      [100, 3_000_000],
    ] as const) {
      const piece = await reader.read(offset, length);
      expect(piece.length).toBeGreaterThan(0);
      expect(piece.length).toBeLessThanOrEqual(length);
      expect(piece.equals(bytes.subarray(offset, offset + piece.length))).toBe(true);
    }
    await expect(reader.read(3_000_000, 1)).rejects.toMatchObject({ code: "StorageFailed" });
    await reader.close();
  });

  test("more files than stay open", async () => {
    const readers = new SpoolReaders();
    for (let i = 0; i < 20; i++) await writeFile(join(dir, `f${i}`), `content ${i}`);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 20; i++) expect((await readers.read(join(dir, `f${i}`), 8, 10)).toString()).toBe(String(i));
    }
    await readers.close();
  });

  test("a file that is not there", async () => {
    await expect(new SpoolReader(join(dir, "none")).read(0, 1)).rejects.toMatchObject({ code: "StorageFailed" });
  });
});

test.each([
  ["ENOSPC", /larger volume/],
  ["EDQUOT", /larger volume/],
  ["EROFS", /EROFS$/],
])("%s is told with advice where there is any", (code, message) => {
  const failure = storageFailed(Object.assign(new Error("failed"), { code }));
  expect(failure.code).toBe("StorageFailed");
  expect(failure.message).toMatch(message);
  expect(storageFailed(failure)).toBe(failure);
});
