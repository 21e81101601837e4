import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import {
  algorithmOf,
  hexOf,
  isDigest,
  matchesDigest,
  parseDigest,
  sha256Of,
  sha256Stream,
  Verifier,
  verifyingStream,
} from "./digest.ts";
import type { Digest } from "./types.ts";

const hello = Buffer.from("hello");
const sha256 = `sha256:${createHash("sha256").update(hello).digest("hex")}` as Digest;
const sha512 = `sha512:${createHash("sha512").update(hello).digest("hex")}` as Digest;

function codeThrown(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return codeOf(error);
  }
  return "nothing";
}

describe("digests", () => {
  it.each([sha256, sha512])("%s is one", (text) => {
    expect(isDigest(text)).toBe(true);
    expect(parseDigest(text)).toBe(text);
    expect(matchesDigest(hello, parseDigest(text))).toBe(true);
    expect(matchesDigest(Buffer.from("Hello"), parseDigest(text))).toBe(false);
    expect(`${algorithmOf(parseDigest(text))}:${hexOf(parseDigest(text))}`).toBe(text);
  });

  it.each([
    "",
    "sha256:",
    "sha256",
    `sha256:${"a".repeat(63)}`,
    `sha256:${"a".repeat(65)}`,
    `sha256:${"a".repeat(128)}`,
    `sha512:${"a".repeat(64)}`,
    `sha256:${"A".repeat(64)}`,
    `SHA256:${"a".repeat(64)}`,
    `sha256:${"g".repeat(64)}`,
    `sha384:${"a".repeat(96)}`,
    `md5:${"a".repeat(32)}`,
    `sha256:${"a".repeat(64)}\n`,
    ` sha256:${"a".repeat(64)}`,
    `sha256:../../${"a".repeat(58)}`,
    `sha256:${"a".repeat(1_000_000)}`,
  ])("%# is none", (text) => {
    expect(isDigest(text)).toBe(false);
    expect(codeThrown(() => parseDigest(text))).toBe("InvalidDigest");
  });

  it("are made of bytes, whole or in pieces", () => {
    const stream = sha256Stream();
    stream.update(hello.subarray(0, 2));
    stream.update(hello.subarray(2));
    expect(sha256Of(hello)).toBe(sha256);
    expect(sha256Of("hello")).toBe(sha256);
    expect(stream.digest()).toBe(sha256);
  });
});

describe("verification", () => {
  const rows = [
    { name: "the right bytes", sent: ["hel", "lo"], size: 5, code: undefined },
    { name: "other bytes", sent: ["hellO"], size: 5, code: "DigestMismatch" },
    { name: "too few", sent: ["hell"], size: 5, code: "SizeMismatch" },
    { name: "none", sent: [], size: 5, code: "SizeMismatch" },
    { name: "too many", sent: ["hello", "!"], size: 5, code: "SizeMismatch" },
    { name: "the right bytes under a wrong size", sent: ["hello"], size: 6, code: "SizeMismatch" },
  ];

  it.each(rows.flatMap((row) => [sha256, sha512].map((digest) => Object.assign({ digest }, row))))(
    "of $name ($digest): $code",
    async ({ sent, size, code, digest }) => {
      const through = Readable.from(sent.map((text) => Buffer.from(text))).pipe(verifyingStream({ digest, size }));
      const outcome = await buffer(through).then(String, codeOf);
      expect(outcome).toBe(code ?? "hello");
    },
  );

  it("stops at the first byte too many, not at the end", () => {
    const verifier = new Verifier({ digest: sha256, size: 5 });
    verifier.update(Buffer.from("hello"));
    expect(verifier.bytes).toBe(5);
    expect(codeThrown(() => verifier.update(Buffer.from("!")))).toBe("SizeMismatch");
  });

  it("passes chunks on without copying them", async () => {
    const stream = verifyingStream({ digest: sha256, size: 5 });
    stream.end(hello);
    const chunks: unknown[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks).toEqual([hello]);
    expect(chunks[0]).toBe(hello);
  });

  it("goes on over the connections of one download", () => {
    const verifier = new Verifier({ digest: sha256, size: 5 });
    for (const part of ["he", "", "llo"]) verifier.update(Buffer.from(part));
    expect(codeThrown(() => verifier.finish())).toBe("nothing");
  });
});
