import { HEAD_BYTES, sniff } from "../archive/sniff.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";
import { selectBlob } from "../select/select-blob.ts";
import { selectLayers } from "../select/select.ts";
import type { Decision, Selection, SelectRequest } from "../select/selection.ts";
import type { BuildContext } from "./build.ts";
import { contentRepository } from "./component.ts";

/** What is taken from the artifact, or from the resource of the component version. @throws as `selectLayers`, what registries answer */
export async function selectContent(
  context: Omit<BuildContext, "dir">,
  onDecision?: (decision: Decision) => void,
): Promise<Selection> {
  const request = selectRequest(context, onDecision);
  const { found, signal } = context;
  if (found?.kind !== "blob") return await selectLayers(request);
  return selectBlob({
    blob: found.descriptor,
    node: found.holder.node,
    stem: found.resource.name,
    usual: await usualOperation(found, signal),
    layerSelector: request.layerSelector,
    onDecision,
  });
}

export function selectRequest(
  context: Omit<BuildContext, "dir">,
  onDecision?: (decision: Decision) => void,
): SelectRequest {
  const { spec, limits, signal } = context;
  return {
    root: rootOf(context),
    repository: contentRepository(context),
    indexSelector: spec.indexSelector,
    layerSelector: spec.layerSelector,
    limits,
    signal,
    onDecision,
  };
}

function rootOf({ resolved, found }: Pick<BuildContext, "resolved" | "found">): Descriptor {
  return found?.descriptor ?? resolved.root;
}

/** A chart stays the file it is, which helm reads; of anything else its first bytes tell. */
async function usualOperation(found: FoundResource, signal: AbortSignal): Promise<OperationName> {
  if (found.resource.type.toLowerCase().startsWith("helmchart")) return "Copy";
  const { archive } = await sniff(await headOf(found.repository, found.descriptor, signal));
  return archive === "none" ? "Copy" : "Extract";
}

async function headOf(repository: Repository, blob: Descriptor, signal: AbortSignal): Promise<Buffer> {
  const stream = await repository.fetch(blob, signal);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length >= HEAD_BYTES) break;
    }
  } finally {
    stream.destroy();
  }
  return Buffer.concat(chunks).subarray(0, HEAD_BYTES);
}
