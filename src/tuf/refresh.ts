import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Dispatcher } from "undici";
import { assertTrustedRoot } from "../verify/cosign/trusted-root.ts";
import { hasErrno } from "../errors.ts";
import { boundedFetcher } from "./fetcher.ts";

export interface TufLimits {
  /** How old the trusted root may be before it is refreshed. */
  readonly refreshMs: number;
  /** Pause after a refresh that has failed. */
  readonly retryMs: number;
  /** How long a verification waits for a refresh; then it goes on with the last good root. */
  readonly waitMs: number;
  /** Of a whole refresh. */
  readonly timeoutMs: number;
  /** Of a whole refresh. */
  readonly maxBytes: number;
  /** Of `trusted_root.json`, and of the metadata on the way to it. */
  readonly maxTargetBytes: number;
  /** Versions of root.json that one refresh goes through. */
  readonly maxRotations: number;
  readonly maxRedirects: number;
}

/** Connections of one refresh. */
export interface Connections {
  dispatcher(url: URL): Dispatcher;
  destroy(): Promise<void>;
}

export interface RefreshOptions {
  /** URL of the TUF repository or of a mirror of it. */
  readonly mirror: string;
  /** The `root.json` to begin with. */
  readonly anchor: Uint8Array;
  readonly directory: string;
  readonly limits: TufLimits;
  readonly userAgent: string;
  readonly connect: () => Connections;
}

export const targetName = "trusted_root.json";
const metadata = ["root.json", "timestamp.json", "snapshot.json", "targets.json"] as const;
export const workPrefix = "work-";

/**
 * One update after the client workflow of TUF: what is in the directory, and what comes from the mirror, is only taken where
 * its signatures, versions and dates are good. Files in the directory are replaced whole, so that several processes may
 * share it.
 *
 * @returns `trusted_root.json`
 * @throws whatever tuf-js says of the repository, and the mirror's failures; SecretInvalid for a root that cannot be used
 */
export async function refreshRoot(options: RefreshOptions, signal: AbortSignal): Promise<string> {
  const { directory } = options;
  const work = await mkdtemp(join(directory, workPrefix));
  try {
    for (const name of [...metadata, targetName]) await unlessAbsent(copyFile(join(directory, name), join(work, name)));
    const path = await updateKept(options, work, signal);
    const json = await readFile(path, "utf8");
    await assertTrustedRoot(json);
    await rename(path, join(directory, targetName));
    return json;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Also after a failure, what was good is kept: nobody goes back behind a version that was seen once. */
async function updateKept(options: RefreshOptions, work: string, signal: AbortSignal): Promise<string> {
  try {
    return await update(options, work, signal);
  } finally {
    for (const name of metadata) await unlessAbsent(rename(join(work, name), join(options.directory, name)));
  }
}

/** Where the target lies in the end. */
async function update(
  { mirror, anchor, limits, userAgent, connect }: RefreshOptions,
  work: string,
  signal: AbortSignal,
): Promise<string> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { Updater } = (await import("tuf-js")).default;
  const { DownloadHTTPError: HttpError } = (await import("tuf-js/dist/error.js")).default;
  const connections = connect();
  const dispatcher = (url: URL): Dispatcher => connections.dispatcher(url);
  try {
    const base = mirror.replace(/\/+$/, "");
    const begin = (): InstanceType<typeof Updater> =>
      new Updater({
        metadataDir: work,
        metadataBaseUrl: base,
        targetDir: work,
        targetBaseUrl: `${base}/targets`,
        config: {
          maxRootRotations: limits.maxRotations,
          maxDelegations: 0,
          snapshotMaxLength: limits.maxTargetBytes,
          targetsMaxLength: limits.maxTargetBytes,
        },
        fetcher: boundedFetcher({ dispatcher, userAgent, ...limits, directory: work, HttpError }, signal),
      });
    const updater = await fromKeptOr(anchor, work, begin);
    const target = await updater.getTargetInfo(targetName);
    if (target === undefined) throw new Error(`the repository has no ${targetName}`);
    if (target.length > limits.maxTargetBytes)
      throw new Error(`${targetName} is larger than ${limits.maxTargetBytes} bytes`);
    return (await updater.findCachedTarget(target)) ?? (await updater.downloadTarget(target));
  } finally {
    await connections.destroy();
  }
}

async function unlessAbsent(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!hasErrno(error, "ENOENT")) throw error;
  });
}

/** Begins with the root that is kept, or with the anchor where there is none: a power cut may have left half of a file. */
async function fromKeptOr<T>(anchor: Uint8Array, work: string, begin: () => T): Promise<T> {
  try {
    return begin();
  } catch {
    await writeFile(join(work, "root.json"), anchor);
    return begin();
  }
}
