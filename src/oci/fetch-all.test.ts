import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { codeOf } from "../errors.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { fetchAll, fetchManifest } from "./fetch-all.ts";
import { ociManifestType } from "./media-types.ts";

const signal = new AbortController().signal;
const limits = { maxManifestBytes: 4 * 1024 * 1024 };
const failure = async (promise: Promise<unknown>): Promise<string> =>
  codeOf(
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );

describe("fetchAll", () => {
  it("reads content whole, however it comes", async () => {
    const chunks = { fetch: () => Promise.resolve(Readable.from([Buffer.from("he"), Buffer.from("llo")])) };
    expect(String(await fetchAll(chunks, new MemoryRepository().blob("hello"), 5, signal))).toBe("hello");
  });

  it("refuses what is too large before it asks for it", async () => {
    const repository = new MemoryRepository();
    expect(await failure(fetchAll(repository, repository.blob("hello"), 4, signal))).toBe("ManifestTooLarge");
    expect(
      await failure(
        fetchManifest(repository, { ...repository.blob("x", ociManifestType), size: 5_000_000 }, limits, signal),
      ),
    ).toBe("ManifestTooLarge");
    expect(repository.fetched).toEqual([]);
  });

  it("takes inline content without asking", async () => {
    const repository = new MemoryRepository();
    const inline = { ...repository.blob("{}"), data: "e30=" };
    expect(String(await fetchAll(repository, inline, 10, signal))).toBe("{}");
    expect(repository.fetched).toEqual([]);
  });

  it("refuses inline content that is too large", async () => {
    const repository = new MemoryRepository();
    expect(await failure(fetchAll(repository, { ...repository.blob("{}"), data: "e30=" }, 1, signal))).toBe(
      "ManifestTooLarge",
    );
  });

  it.each([
    { what: "other bytes", bytes: "hellO", size: 5, code: "DigestMismatch" },
    { what: "more bytes", bytes: "hello!", size: 5, code: "SizeMismatch" },
    { what: "fewer bytes", bytes: "hell", size: 5, code: "SizeMismatch" },
  ])("fails where $what arrive", async ({ bytes, size, code }) => {
    const repository = new MemoryRepository();
    const { digest } = repository.blob("hello");
    repository.put(digest, Buffer.from(bytes), "application/octet-stream");
    expect(
      await failure(fetchAll(repository, { mediaType: "application/octet-stream", digest, size }, 10, signal)),
    ).toBe(code);
  });

  it("asks for nothing after an abort", async () => {
    const repository = new MemoryRepository();
    expect(await failure(fetchAll(repository, repository.blob("hello"), 5, AbortSignal.abort()))).toBe("Aborted");
    expect(repository.fetched).toEqual([]);
  });
});

describe("fetchManifest", () => {
  it("parses what the descriptor announces, and names its digest where it is not", async () => {
    const repository = new MemoryRepository();
    const good = repository.manifest({ config: repository.blob("{}"), layers: [] });
    expect(await fetchManifest(repository, good, limits, signal)).toMatchObject({
      kind: "manifest",
      mediaType: ociManifestType,
    });
    const bad = repository.blob("<html>", ociManifestType);
    await expect(fetchManifest(repository, bad, limits, signal)).rejects.toMatchObject({
      code: "ManifestInvalid",
      message: expect.stringContaining(bad.digest),
    });
  });
});

describe("a repository in memory", () => {
  it("resolves tags and digests, and lists its tags", async () => {
    const repository = new MemoryRepository();
    const root = repository.manifest({ config: repository.blob("{}"), layers: [] }, "1.0.0", "latest");
    expect(await repository.resolve("1.0.0")).toEqual(root);
    expect(await repository.resolve(root.digest)).toEqual(root);
    expect(await failure(repository.resolve("2.0.0"))).toBe("NotFound");
    expect(await failure(repository.fetch({ ...root, digest: `sha256:${"0".repeat(64)}` }, signal))).toBe("NotFound");
    const pages: (readonly string[])[] = [];
    for await (const page of repository.tags()) pages.push(page);
    expect(pages).toEqual([["1.0.0", "latest"]]);
  });

  it("lists referrers with the type that they have", async () => {
    const repository = new MemoryRepository();
    const subject = repository.manifest({ config: repository.blob("{}"), layers: [] });
    const signature = repository.manifest({
      artifactType: "application/sig",
      subject,
      annotations: { a: "b" },
      config: repository.blob("{}"),
      layers: [],
    });
    const sbom = repository.manifest({ subject, config: repository.blob("{}", "application/sbom"), layers: [] });
    expect(await repository.referrers(subject.digest)).toEqual([
      { ...signature, artifactType: "application/sig", annotations: { a: "b" } },
      { ...sbom, artifactType: "application/sbom" },
    ]);
    expect(await repository.referrers(sbom.digest)).toEqual([]);
  });
});
