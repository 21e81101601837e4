import { headBytes, sniff } from "../archive/sniff.ts";
import { inComponentTerms } from "../component/explain.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";
import { selectBlob } from "../select/select-blob.ts";
import { selectLayers } from "../select/select.ts";
import type { Decision, Selection, SelectRequest } from "../select/selection.ts";
import type { BuildContext } from "./build.ts";

/** A selection from what a reference names, or from the resource of a component version. */
export interface SelectStep extends SelectRequest {
  readonly repository: Repository;
  readonly found: FoundResource | undefined;
}

/** What is taken for a spec. @throws as `selectFound` */
export async function selectContent(
  context: Omit<BuildContext, "dir">,
  onDecision?: (decision: Decision) => void,
): Promise<Selection> {
  return await selectFound(selectRequest(context, onDecision));
}

/** What `selectFound` is asked for a spec. */
export function selectRequest(
  { spec, repository, resolved, found, limits, signal }: Omit<BuildContext, "dir">,
  onDecision?: (decision: Decision) => void,
): SelectStep {
  const { indexSelector, layerSelector, ignore } = spec;
  const ignores = ignore !== undefined;
  return { root: resolved.root, repository, found, indexSelector, layerSelector, ignores, limits, signal, onDecision };
}

/** @throws as `selectLayers`; AmbiguousResource for a component version of which no resource is meant; what registries answer */
export async function selectFound(step: SelectStep): Promise<Selection> {
  const { found, root, repository, layerSelector, onDecision } = step;
  if (found === undefined) {
    return await selectLayers(step).catch(async (error: unknown) => {
      throw await inComponentTerms(error, repository, root, step);
    });
  }
  if (found.kind === "manifest")
    return await selectLayers({ ...step, root: found.descriptor, repository: found.repository });
  return selectBlob({
    blob: found.descriptor,
    node: found.holder.node,
    stem: found.resource.name,
    usual: await usualOperation(found, step),
    layerSelector,
    onDecision,
  });
}

/** A chart stays the file it is, which helm reads, unless something is to be left out; of anything else its first bytes tell. */
async function usualOperation(
  found: FoundResource,
  { ignores = false, signal }: Pick<SelectRequest, "ignores" | "signal">,
): Promise<OperationName> {
  if (!ignores && found.resource.type.toLowerCase().startsWith("helmchart")) return "Copy";
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
      if (length >= headBytes) break;
    }
  } finally {
    stream.destroy();
  }
  return Buffer.concat(chunks).subarray(0, headBytes);
}
