import { titleKey } from "../oci/annotations.ts";
import { MAX_SELECTED_ROWS } from "../../api/v1beta1/constants.ts";
import type { SelectedLayer, SelectedStatus } from "../../api/v1beta1/status.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Layer } from "../oci/types.ts";
import type { OperationResult } from "../operation/operation.ts";
import type { Selection } from "../select/selection.ts";

/** What was selected, as `status.selected` has it: at most 50 rows. */
export function selectedStatus(
  selection: Selection,
  { skipped, leftOut = [] }: Pick<OperationResult, "skipped" | "leftOut">,
): SelectedStatus {
  const counts = Object.fromEntries(Object.entries(skipped).filter(([, count]) => count > 0));
  return {
    operation: selection.operation,
    ...(selection.operation === "ExtractAll" && { layout: selection.layout }),
    ...(selection.profile !== undefined && { profile: selection.profile }),
    ...(selection.note !== undefined && { note: selection.note }),
    layerCount: selection.layers.length,
    layers: selection.layers.slice(0, MAX_SELECTED_ROWS).map(layerRow),
    ...(Object.keys(counts).length > 0 && { skipped: counts }),
    ...(leftOut.length > 0 && { leftOut: leftOut.map((text) => text.slice(0, 1024)) }),
  };
}

/** One selected layer as the status and `--output json` show it. */
export function layerRow({ descriptor, node, ordinal }: Layer): SelectedLayer {
  const title = descriptor.annotations?.[titleKey];
  const { platform } = node.descriptor;
  return {
    digest: descriptor.digest,
    mediaType: descriptor.mediaType,
    size: descriptor.size,
    offset: ordinal,
    ...(title !== undefined && { title: title.slice(0, 256) }),
    manifest: node.descriptor.digest,
    ...(node.effectiveType !== "" && { artifactType: node.effectiveType }),
    ...(platform && { platform: formatPlatform(platform) }),
  };
}
