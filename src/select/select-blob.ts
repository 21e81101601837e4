import { ociEmptyType, ociManifestType } from "../oci/media-types.ts";
import type { Descriptor, ManifestNode } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";
import { chooseLayers, type LayerChoice } from "./choose-layers.ts";
import { reportDecisions } from "./decisions.ts";
import { layerError } from "./explain.ts";
import type { Decision, LayerSelector, Selection } from "./selection.ts";

/** A blob that is the content by itself, such as a resource of an OCM component version. */
export interface BlobRequest {
  readonly blob: Descriptor;
  /** The manifest through which it was found. */
  readonly node: ManifestNode;
  /** Name of a file that it becomes, without extension. */
  readonly stem: string;
  /** What is done with it unless the selector says otherwise. */
  readonly usual: OperationName;
  readonly layerSelector?: LayerSelector | undefined;
  readonly onDecision?: ((decision: Decision) => void) | undefined;
}

const nothing: Descriptor = {
  mediaType: ociEmptyType,
  digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  size: 2,
};

/**
 * Selects the blob as if it were the only layer of a manifest.
 * @throws NoLayerMatch, OffsetOutOfRange
 */
export function selectBlob({ blob, node, stem, usual, layerSelector, onDecision }: BlobRequest): Selection {
  const manifest = { kind: "manifest", mediaType: ociManifestType, config: nothing, layers: [blob] } as const;
  const alone: ManifestNode = { ...node, manifest, effectiveType: "" };
  const selector = withUsual(layerSelector, usual);
  let choice: LayerChoice | undefined;
  try {
    choice = chooseLayers([alone], selector);
    if (choice.kind !== "chosen") throw layerError(choice, [alone], selector);
    // Where it stands among the layers that there really are.
    const ordinal = Math.max(
      0,
      node.manifest.layers.findIndex(({ digest }) => digest === blob.digest),
    );
    return {
      nodes: [alone],
      layers: choice.layers.map((layer) => ({ descriptor: layer.descriptor, node: alone, ordinal })),
      operation: choice.operation,
      layout: selector.layout ?? "Merge",
      stem,
      ...(selector.filename !== undefined && { filename: selector.filename }),
    };
  } finally {
    if (onDecision !== undefined) {
      const reasons = new Map([[alone, "the resource is in it"]]);
      const visits = [{ kind: "manifest", descriptor: node.descriptor, node: alone, path: [] } as const];
      reportDecisions({ visits, manifests: { kind: "chosen", nodes: [alone], reasons }, layers: choice }, onDecision);
    }
  }
}

function withUsual(selector: LayerSelector = {}, usual: OperationName): LayerSelector {
  const isStated = selector.operation !== undefined || selector.layout !== undefined;
  return isStated ? selector : { ...selector, operation: usual };
}
