import { randomBytes } from "node:crypto";
import { deflateRawSync, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { CodedError } from "../errors.ts";
import { inPieces } from "../testing/archives/trees.ts";
import { decompress, inflateMember, type Compression } from "./decompress.ts";

const content = Buffer.concat([randomBytes(700_000), Buffer.alloc(2_000_000, "text ")]);
const forms: [Compression, Buffer][] = [
  ["none", content],
  ["gzip", gzipSync(content, { level: 1 })],
  ["zstd", zstdCompressSync(content)],
];

describe.each(forms)("%s", (compression, bytes) => {
  test.each([100, 65_536, 5_000_000])("in pieces of %i bytes", async (pieceBytes) => {
    const pieces: Buffer[] = [];
    await decompress(compression, inPieces(bytes, pieceBytes), (chunk) => void pieces.push(chunk));
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  });

  test("one piece at a time: nothing comes while the sink is busy", async () => {
    let busy = 0;
    let most = 0;
    await decompress(compression, inPieces(bytes, 200_000), async () => {
      most = Math.max(most, ++busy);
      await new Promise((resolve) => setTimeout(resolve, 1));
      busy -= 1;
    });
    expect([busy, most]).toEqual([0, 1]);
  });

  test("a failure over the very last piece comes out, however late", async () => {
    const failure = new CodedError("StorageFailed", "the scratch directory failed with ENOSPC");
    let left = content.length;
    const sink = async (chunk: Buffer): Promise<void> => {
      left -= chunk.length;
      if (left > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
      throw failure;
    };
    await expect(decompress(compression, inPieces(bytes, 200_000), sink)).rejects.toBe(failure);
  });

  test("what the sink throws, now or later, comes out; the source is closed", async () => {
    const failure = new CodedError("ArchiveTooLarge", "the content expands to more than 1 bytes");
    for (const sink of [
      (): never => {
        throw failure;
      },
      (): Promise<void> => Promise.reject(failure),
    ]) {
      let isClosed = false;
      async function* source(): AsyncGenerator<Buffer> {
        try {
          yield* inPieces(bytes, 1000);
        } finally {
          isClosed = true;
        }
      }
      await expect(decompress(compression, source(), sink)).rejects.toBe(failure);
      expect(isClosed).toBe(true);
    }
  });
});

test("a deflate stream says how much of the input was its own", async () => {
  const deflated = deflateRawSync("hello");
  for (const pieceBytes of [1, 3, 100]) {
    const pieces: Buffer[] = [];
    const member = inflateMember((chunk) => void pieces.push(chunk));
    let used = 0;
    for await (const piece of inPieces(Buffer.concat([deflated, Buffer.from("trailer")]), pieceBytes)) {
      const taken = await member.write(piece);
      used += taken;
      if (taken < piece.length) break;
    }
    expect([used, member.consumed, Buffer.concat(pieces).toString()]).toEqual([
      deflated.length,
      deflated.length,
      "hello",
    ]);
    member.destroy();
  }
});

describe("after a gzip stream", () => {
  const members = Buffer.concat([gzipSync("one "), gzipSync("two")]);
  const read = async (bytes: Buffer, pieceBytes: number): Promise<string> => {
    const pieces: Buffer[] = [];
    await decompress("gzip", inPieces(bytes, pieceBytes), (chunk) => void pieces.push(chunk));
    return Buffer.concat(pieces).toString();
  };

  test.each([1, 7, 512, 1_000_000])("zeros are padding, in pieces of %i bytes", async (pieceBytes) => {
    for (const zeros of [0, 1, 511, 10_240])
      expect(await read(Buffer.concat([members, Buffer.alloc(zeros)]), pieceBytes)).toBe("one two");
  });

  test.each([1, 7, 1_000_000])("anything else is a fault, in pieces of %i bytes", async (pieceBytes) => {
    for (const rest of ["x", "\0\0x", `${"\0".repeat(600)}\x1f`])
      await expect(read(Buffer.concat([members, Buffer.from(rest)]), pieceBytes)).rejects.toMatchObject({
        code: "ArchiveInvalid",
      });
  });
});
