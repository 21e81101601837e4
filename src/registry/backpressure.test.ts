import { once } from "node:events";
import { Readable } from "node:stream";
import { afterAll, describe, expect, test } from "vitest";
import { defaultLimits, registryDefaults } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { countedSource, MiB, noise, settled } from "../testing/archives/pressure.ts";
import { testClient } from "../testing/registry/client.ts";
import { startUploadSink, takeNothing } from "../testing/registry/upload-sink.ts";

/**
 * What a push holds in memory does not depend on the blob's size, nor on how fast the registry takes it. Downloads are
 * held back in blobs.test.ts.
 */

const blobMiB = 160;
const blob: Descriptor = {
  mediaType: "application/octet-stream",
  digest: sha256Of("what the registry makes of it"),
  size: blobMiB * MiB,
};
const client = testClient({ uploadChunkBytes: registryDefaults.uploadChunkBytes });
afterAll(() => client.close());

/** Pushes the blob, made as it is asked for. */
function push(host: string, signal = new AbortController().signal): { done: Promise<void>; pulled: () => number } {
  const counts: (() => number)[] = [];
  const open = (offset: number): Readable => {
    const source = countedSource(
      Array.from({ length: blobMiB - offset / MiB }, () => noise),
      256 * 1024,
    );
    counts.push(source.pulled);
    return Readable.from(source.chunks, { objectMode: false });
  };
  const repository = client.repository(
    { registry: host, repository: "a" },
    { insecure: true, timeoutMs: 5000, limits: defaultLimits },
  );
  return {
    done: repository.pushBlob(blob, open, signal),
    pulled: () => counts.reduce((sum, count) => sum + count(), 0),
  };
}

describe("a push", () => {
  test("stops reading where the registry does, 16 MiB at most on the way", async () => {
    await using registry = await startUploadSink(takeNothing);
    const abort = new AbortController();
    const { done, pulled } = push(registry.host, abort.signal);
    await expect.poll(() => registry.parts.length, { timeout: 10_000 }).toBe(1);
    const held = await settled(pulled);
    // Both ends' socket buffers, which the kernel makes as large as it sees fit, and some pieces of ours.
    expect(held).toBeLessThanOrEqual(16 * MiB);
    abort.abort();
    await expect(done).rejects.toMatchObject({ code: "Aborted" });
  });

  test("is in chunks of 64 MiB at most, which send every byte once", async () => {
    await using registry = await startUploadSink(async (request) => await once(request.resume(), "end"));
    const { done, pulled } = push(registry.host);
    await done;
    expect(registry.parts).toEqual([
      { method: "PATCH", range: `0-${64 * MiB - 1}`, length: 64 * MiB },
      { method: "PATCH", range: `${64 * MiB}-${128 * MiB - 1}`, length: 64 * MiB },
      { method: "PUT", range: `${128 * MiB}-${160 * MiB - 1}`, length: 32 * MiB },
    ]);
    // A stream reads a little ahead of the end of its chunk.
    expect(pulled()).toBeLessThanOrEqual(blob.size + MiB);
  });
});
