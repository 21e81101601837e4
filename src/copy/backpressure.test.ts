import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { countedSource, MiB, noise, settled } from "../testing/archives/pressure.ts";
import { startRegistry } from "../testing/registry/registry.ts";
import { testAccess, testClient, testRepository } from "../testing/registry/client.ts";
import { startUploadSink, takeNothing } from "../testing/registry/upload-sink.ts";
import { GraphCopy } from "./graph.ts";

const layerMiB = 128;
/** Of each blob: the socket buffers of both connections, which the kernel makes as large as it sees fit, and some pieces of ours. */
const onTheWayMiB = 24;

it("a copy between registries reads no faster than the target takes: four blobs at once, 24 MiB of each at most on the way", async () => {
  await using source = await startRegistry();
  await using target = await startUploadSink(takeNothing);
  const made: (() => number)[] = [];
  const layers = Array.from({ length: 6 }, (_, at) => {
    const descriptor = { mediaType: "application/octet-stream", digest: sha256Of(`layer ${at}`), size: layerMiB * MiB };
    const open = (): Readable => {
      const { chunks, pulled } = countedSource(
        Array.from({ length: layerMiB }, () => noise),
        256 * 1024,
      );
      made.push(pulled);
      return Readable.from(chunks, { objectMode: false });
    };
    source.store.repository("large").blobs.set(descriptor.digest, { size: descriptor.size, open });
    return descriptor;
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  // The first layer stands in for a config.
  const root = source.store.putManifest("large", { schemaVersion: 2, mediaType, config: layers[0], layers });
  const client = testClient();
  const graph = new GraphCopy({
    source: testRepository(source, "large", { client }),
    target: client.repository({ registry: target.host, repository: "copy" }, testAccess(source)),
    targetIsLayout: false,
    mountFrom: undefined,
    referrers: false,
    limits: defaultLimits,
  });
  const abort = new AbortController();
  const done = graph.copy(root, "1.0.0", abort.signal);
  await expect.poll(() => target.parts.length, { timeout: 10_000 }).toBe(4);
  const held = await settled(() => made.reduce((sum, pulled) => sum + pulled(), 0));
  expect([made.length, target.parts.length]).toEqual([4, 4]);
  expect(held).toBeLessThanOrEqual(4 * onTheWayMiB * MiB);
  abort.abort();
  await expect(done).rejects.toMatchObject({ code: "Aborted" });
  await client.close();
});
