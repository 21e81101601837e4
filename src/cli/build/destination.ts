import { stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createReadStream } from "node:fs";
import type { StagedBlob } from "../../oci/types.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { isArchiveName } from "../../output/write-output.ts";
import { assertMayClear } from "../../output/make-room.ts";
import { type CommandIO, UsageError } from "../command.ts";

/** Where `-o` says that the result goes. */
export type Destination =
  | { readonly kind: "stdout" }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string; readonly force: boolean };

/** Archives of other kinds than the one that is made. */
const otherArchive =
  /\.(?:zip|jar|7z|rar|tar|tar\.(?:bz2|xz|zst|zstd|lz4|lzma|br|Z)|tbz2?|txz|tzst|gz|bz2|xz|zst|zstd)$/i;

/** @throws UsageError */
export function parseDestination(place: string, force: boolean): Destination {
  if (place === "") throw new UsageError("-o is empty; write a directory, FILE.tar.gz, or - for standard output");
  if (place === "json" || place === "yaml")
    throw new UsageError(
      `-o is "${place}", and says where to write; write --output ${place} for a document, or ./${place} for a directory of that name`,
    );
  if (place === "-") return { kind: "stdout" };
  if (isArchiveName(place)) return { kind: "file", path: place };
  const [suffix] = otherArchive.exec(place) ?? [];
  if (suffix !== undefined)
    throw new UsageError(
      `-o is "${place}", but an artifact is a tar compressed with gzip; write ${place.slice(0, -suffix.length)}.tar.gz, or ${place}/ for a directory of that name`,
    );
  return { kind: "directory", path: place, force };
}

/**
 * What can be known before anything is downloaded.
 * @param inputs paths that the build reads
 * @throws StorageFailed
 */
export async function checkDestination(
  destination: Destination,
  inputs: readonly string[],
  { environment }: CommandIO,
): Promise<void> {
  if (destination.kind === "stdout") return;
  const { kind, path } = destination;
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return;
  if (kind === "file" && found.isDirectory())
    throw new CodedError(
      "StorageFailed",
      `${path} is a directory; write ${path}/ to write into it, or name another file`,
    );
  if (kind !== "directory") return;
  if (!found.isDirectory())
    throw new CodedError(
      "StorageFailed",
      `${path} is not a directory; write a directory, FILE.tar.gz for the artifact itself, or - for standard output`,
    );
  if (destination.force) await assertMayClear(path, { home: environment.home, inputs });
}

/** @throws StorageFailed */
export async function writeToStdout({ path }: StagedBlob, { stdout, signal }: CommandIO): Promise<void> {
  try {
    await pipeline(createReadStream(path), stdout, { end: false, signal });
  } catch (error) {
    throw new CodedError(signal.aborted ? "Aborted" : "StorageFailed", `standard output: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
