import { createHash } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { tarball } from "../e2e/content.ts";
import { median } from "./statistics.ts";

/** How fast one core of this machine does what no extraction can do without, in megabytes of tar a second. */
export interface Limits {
  readonly inflate: number;
  readonly sha256: number;
  /** At the level that Strata compresses with. */
  readonly deflate: number;
  readonly deflateLevel: number;
  /** Compressed bytes for each byte of tar. */
  readonly ratio: number;
}

/** As in src/archive/write.ts. */
const gzipLevel = 3;
const maxTries = 5;
const chunkBytes = 1 << 18;

/** Takes some seconds, and a core. */
export async function measureLimits(): Promise<Limits> {
  const packed = await tarball({ seed: "limits", files: 5000, fileBytes: 4000 });
  const tar = gunzipSync(packed, { chunkSize: chunkBytes });
  const rate = (work: () => unknown): number =>
    tar.length / 1e6 / median(Array.from({ length: maxTries }, () => secondsOf(work)));
  return {
    inflate: rate(() => gunzipSync(packed, { chunkSize: chunkBytes })),
    sha256: rate(() => createHash("sha256").update(tar).digest()),
    deflate: rate(() => gzipSync(tar, { level: gzipLevel, chunkSize: chunkBytes })),
    deflateLevel: gzipLevel,
    ratio: packed.length / tar.length,
  };
}

function secondsOf(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** The least CPU time for a tar of `megabytes`: inflated once, hashed with its compressed form, and compressed again where it changes. */
export function floorMs(limits: Limits, megabytes: number, changed: boolean): number {
  const { inflate, sha256, deflate, ratio } = limits;
  const seconds =
    megabytes / inflate +
    (megabytes * (1 + ratio)) / sha256 +
    (changed ? megabytes / deflate + (megabytes * ratio) / sha256 : 0);
  return seconds * 1000;
}

export function renderLimits(limits: Limits): string {
  const rate = (value: number): string => `${value.toFixed(0)} MB/s`;
  return [
    `One core of this machine inflates ${rate(limits.inflate)} of the benchmark's tar, hashes ${rate(limits.sha256)} (SHA-256) and compresses ${rate(limits.deflate)} (gzip level ${limits.deflateLevel}).`,
    `Nobody who inflates and hashes 100 MB with these libraries can take less than ${floorMs(limits, 100, false).toFixed(0)} ms of CPU, or ${floorMs(limits, 100, true).toFixed(0)} ms where it must be compressed again.`,
  ].join("\n");
}
