import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { Budget } from "../../archive/budget.ts";
import { readTar } from "../../archive/read.ts";
import { writeArchive } from "../../archive/write.ts";
import { CodedError, messageOf } from "../../errors.ts";
import type { Digest } from "../../oci/types.ts";
import { type BundleTree, readBundle, type TreeRequest } from "./tree.ts";

/** A tar.gz that is ready to be pushed. */
export interface Bundle {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
  readonly contentDigest: Digest;
  /** Undefined for an archive that is pushed as it is. */
  readonly files: number | undefined;
  readonly skipped: BundleTree["skipped"];
}

export interface BundleRequest extends TreeRequest {
  /** Scratch directory. */
  readonly dir: string;
}

/** A directory or a file as a canonical tar.gz. @throws what `readBundle` throws; StorageFailed */
export async function bundleFiles(path: string, request: BundleRequest): Promise<Bundle> {
  const { tree, files, skipped } = await readBundle(path, request);
  const archive = join(request.dir, "artifact.tar.gz");
  return { path: archive, ...(await writeArchive(tree, archive, request.signal)), files, skipped };
}

/** A tar.gz, which is read to its end to be sure that it is one. @throws Archive…, NotAnArchive, InvalidSpec */
export async function bundleArchive(path: string, request: BundleRequest): Promise<Bundle> {
  const size = await sizeOf(path);
  const hash = createHash("sha256");
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>) {
      hash.update(chunk);
      yield chunk;
    }
  }
  const budget = new Budget(request.limits, size, { expandedBytes: 0 });
  await readTar(chunks(), {
    compression: "gzip",
    spoolPath: join(request.dir, "checked.tar"),
    budget,
    signal: request.signal,
  });
  const digest: Digest = `sha256:${hash.digest("hex")}`;
  return {
    path,
    digest,
    size,
    contentDigest: digest,
    files: undefined,
    skipped: { symlinks: 0, special: 0, ignored: 0 },
  };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    throw new CodedError("InvalidSpec", `${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
