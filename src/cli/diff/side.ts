import { lstat } from "node:fs/promises";
import { defaultLimits } from "../../config.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { buildArtifact } from "../../pipeline/build.ts";
import { findContent } from "../../pipeline/component.ts";
import { resolveRoot } from "../../pipeline/resolve.ts";
import { selectContent } from "../../pipeline/select.ts";
import type { Verifier } from "../../verify/verifier.ts";
import type { SelectionValues } from "../build/selection-flags.ts";
import { takeVerified } from "../build/take-verified.ts";
import { type BuildSource, sourceFromFlags, sourceFromManifest } from "../build/source.ts";
import { type CommandIO, UsageError } from "../command.ts";
import type { SourceFlags } from "../source.ts";
import { archiveFiles, directoryFiles, type Files } from "./files.ts";

/** One of the two that are compared. */
export interface Side {
  /** As it was named. */
  readonly name: string;
  /** What it resolved to; undefined for a directory. */
  readonly digest?: string;
  readonly revision?: string;
  readonly files: Files;
}

export interface SideRequest {
  readonly text: string;
  /** An empty scratch directory. */
  readonly dir: string;
  readonly selection: SelectionValues;
  readonly flags: SourceFlags;
  readonly verifier: Verifier;
}

export type SideKind = "reference" | "manifest" | "directory";

/** What an argument stands for: a reference has a scheme, and what else there is tells the disk. @throws UsageError */
export async function kindOf(text: string): Promise<SideKind> {
  if (/^[a-z-]+:\/\//.test(text)) return "reference";
  const found = await lstat(text).catch((error: unknown) => {
    throw new UsageError(
      `"${text}" is neither a reference, such as oci://HOST/REPOSITORY:TAG, nor a directory or a manifest file: ${messageOf(error)}`,
    );
  });
  if (found.isDirectory()) return "directory";
  if (found.isFile()) return "manifest";
  throw new UsageError(`"${text}" is neither a directory nor a file; symlinks are not followed`);
}

/** What is on one side, as files. @throws what reading and building throw */
export async function openSide(request: SideRequest, io: CommandIO): Promise<Side> {
  const { text, selection, flags, dir, verifier } = request;
  const kind = await kindOf(text);
  if (kind === "directory") return { name: text, files: await directory(text, io) };
  const source =
    kind === "manifest" ? await sourceFromManifest(text, io) : await sourceFromFlags(text, selection, flags, io);
  try {
    return { name: text, ...(await built(source, { dir, verifier }, io)) };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError(error.code, `${text}: ${error.message}`, {
      cause: error.cause,
      ...(error.details && { details: error.details }),
    });
  } finally {
    await source.close();
  }
}

/** @throws StorageFailed for what cannot be read */
async function directory(path: string, { signal }: CommandIO): Promise<Files> {
  try {
    return await directoryFiles(path, { limits: defaultLimits, signal });
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError("StorageFailed", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

/** The artifact that a build makes, as files. */
async function built(
  source: BuildSource,
  { dir, verifier }: Pick<SideRequest, "dir" | "verifier">,
  { signal }: CommandIO,
): Promise<Omit<Side, "name">> {
  const { place, open } = source;
  const newest = await resolveRoot(source.rule, source.repository, "read", signal);
  const { taken } = await takeVerified(source, newest, { verifier, signal });
  const { common, verification, selection: known } = taken;
  const found = await findContent({ ...common, place, open, verification });
  const context = { ...common, found, dir };
  const { result, revision } = await buildArtifact(context, known ?? (await selectContent(context)));
  const files = await archiveFiles(result.blob, { limits: defaultLimits, signal });
  return { digest: common.resolved.root.digest, revision, files };
}
