import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import type { Fetcher } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Layer } from "../oci/types.ts";
import { onDisk, type DiskMood } from "../testing/disk.ts";
import {
  compressed,
  countedSource,
  MiB,
  settled,
  tarOfNoise,
  type CountedSource,
} from "../testing/archives/pressure.ts";
import { copy } from "./copy.ts";
import { extractAll } from "./extract-all.ts";
import { extract } from "./extract.ts";
import { spoolLayer } from "./layer-content.ts";
import type { Operation, OperationIO, OperationOptions } from "./operation.ts";

/** Operations hold a few MiB of each layer that they are at, however large it is, and are at four at most. */

const options: OperationOptions = {
  layout: "LayerPerDir",
  onConflict: "Fail",
  symlinks: "Skip",
  tag: "1.0.0",
  repository: "team/app",
};
const layerMiB = 8;
const layerBytes = layerMiB * MiB;

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-operation-backpressure-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

/** A registry that makes a gzip-compressed tar up for every layer, as fast as it is taken. */
class Origin implements Fetcher {
  readonly #sources: CountedSource[] = [];
  fetch(): Promise<Readable> {
    const source = countedSource(compressed(tarOfNoise(layerMiB), (part) => gzipSync(part, { level: 1 })));
    this.#sources.push(source);
    return Promise.resolve(Readable.from(source.chunks, { objectMode: false }));
  }
  get opened(): number {
    return this.#sources.length;
  }
  readonly pulled = (): number => this.#sources.reduce((sum, source) => sum + source.pulled(), 0);
}

function layers(count: number): Layer[] {
  const descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: sha256Of("manifest"),
    size: 10,
  };
  const config = { mediaType: "application/vnd.test.config.v1+json", digest: sha256Of("{}"), size: 2 };
  const node = {
    descriptor,
    manifest: { kind: "manifest", mediaType: descriptor.mediaType, config, layers: [] },
    path: [],
    effectiveType: config.mediaType,
    effectiveAnnotations: {},
  } as const;
  return Array.from({ length: count }, (_, ordinal) => ({
    descriptor: { mediaType: "application/vnd.test.tar+gzip", digest: sha256Of(String(ordinal)), size: layerBytes },
    node,
    ordinal,
  }));
}

const io = (fetcher: Fetcher): OperationIO => ({
  fetcher,
  dir,
  limits: defaultLimits,
  signal: new AbortController().signal,
});

describe("a disk that takes nothing", () => {
  it.each<[string, Operation, number]>([
    ["Copy", copy, 1],
    ["Extract", extract, 1],
    ["ExtractAll of one layer", extractAll, 1],
    ["ExtractAll of six layers", extractAll, 6],
  ])("holds %s back after 3 MiB of each layer that it is at", async (_, operation, count) => {
    const origin = new Origin();
    const disk = Promise.withResolvers<DiskMood>();
    await onDisk(
      dir,
      () => disk.promise,
      async () => {
        const done = operation(layers(count), options, io(origin));
        await expect.poll(() => origin.opened, { timeout: 10_000 }).toBe(Math.min(count, 4));
        const held = await settled(origin.pulled);
        expect(origin.opened).toBe(Math.min(count, 4));
        expect(held).toBeLessThanOrEqual(origin.opened * 3 * MiB);
        disk.resolve("good");
        await done;
      },
    );
    expect(origin.pulled()).toBeGreaterThanOrEqual(count * layerBytes);
  });
});

describe("a download that is looked at", () => {
  it("waits for who looks, 1 MiB at most ahead of it", async () => {
    const origin = new Origin();
    const look = Promise.withResolvers<void>();
    const done = spoolLayer(layers(1)[0]!, 0, io(origin), async () => await look.promise);
    expect(await settled(origin.pulled)).toBeLessThanOrEqual(MiB);
    look.resolve();
    await done;
    expect(origin.pulled()).toBeGreaterThanOrEqual(layerBytes);
  });
});
