import { DigestAhead } from "../../archive/digest-ahead.ts";
import type { Tree } from "../../archive/tree.ts";
import { contentDigestOf } from "../../archive/write.ts";
import { formatVersion } from "../../oci/reference.ts";
import { asDone, operationOf, optionsOf, type BuildContext } from "../../pipeline/build.ts";
import { contentRepository } from "../../pipeline/component.ts";
import type { Digest } from "../../oci/types.ts";
import type { ReadyTree, Skipped } from "../../operation/operation.ts";
import { treeOperations } from "../../operation/table.ts";
import type { Selection } from "../../select/selection.ts";
import { DirectoryOutput } from "../../output/directory-output.ts";

export interface BuiltDirectory {
  readonly selection: Selection;
  readonly revision: string;
  readonly skipped: Skipped;
  readonly leftOut: readonly string[] | undefined;
  readonly files: number;
  readonly bytes: number;
}

/**
 * Writes what the selected layers hold below `path` without making the artifact first. Undefined for a copy, which is an artifact.
 * @throws what the operations and `DirectoryOutput` throw
 */
export async function buildDirectory(
  context: BuildContext,
  selection: Selection,
  { path, force }: { readonly path: string; readonly force: boolean },
): Promise<BuiltDirectory | undefined> {
  const operation = operationOf(selection);
  if (operation === "Copy") return undefined;
  const { resolved, dir, limits, signal, onBytes } = context;
  const options = optionsOf(context, selection);
  const output = DirectoryOutput.open(path, force, signal);
  const digest = new DigestAhead();
  try {
    const io = {
      fetcher: contentRepository(context),
      dir,
      limits,
      signal,
      ...(onBytes && { onBytes }),
      ahead: { onFile: output.offer.bind(output), digest },
    };
    const ready = await treeOperations[operation](selection.layers, options, io);
    const revision = formatVersion({
      tag: resolved.tag,
      digest: await writeAndHash(ready, { output, digest }, signal),
    });
    const { skipped, leftOut } = ready;
    return {
      selection: asDone(selection, ready.operation),
      revision,
      skipped,
      leftOut,
      ...contentOf(ready.tree),
    };
  } finally {
    await output.close();
  }
}

function contentOf(tree: Tree): Pick<BuiltDirectory, "files" | "bytes"> {
  const content = { files: 0, bytes: 0 };
  for (const entry of tree.entries.values()) {
    if (entry.kind !== "file") continue;
    content.files += 1;
    content.bytes += entry.body.size;
  }
  return content;
}

/** Both read the scratch files: when one has failed, the other has to stop before they are removed. */
async function writeAndHash(
  { tree }: ReadyTree,
  { output, digest: ahead }: { readonly output: DirectoryOutput; readonly digest: DigestAhead },
  signal: AbortSignal,
): Promise<Digest> {
  const failed = new AbortController();
  const work = [contentDigestOf(tree, ahead, AbortSignal.any([signal, failed.signal])), output.finish(tree)] as const;
  try {
    const [digest] = await Promise.all(work);
    return digest;
  } catch (error) {
    failed.abort(error);
    await output.close();
    await Promise.allSettled(work);
    throw error;
  }
}
