import type { SelectedStatus } from "../../api/v1beta1/status.ts";
import type { Repository } from "../oci/content.ts";
import { isDigest } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import { componentStatus, contentRepository } from "../pipeline/component.ts";
import { derivationOf } from "../pipeline/derivation.ts";
import type { Identified } from "../pipeline/object.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import type { Origin } from "../publish/port.ts";
import type { Artifact } from "../store/store.ts";
import { contentPlace } from "./find.ts";
import type { Known } from "./run-result.ts";

/** Where the artifact comes from; undefined where the status, from before it told, does not know what was selected. */
export function originOf(
  { object: { spec } }: Pick<Identified, "object">,
  from: { readonly repository: Repository; readonly resolved: Resolved; readonly artifact: Artifact },
  { found, verification }: Known,
  selected: SelectedStatus | undefined,
): Origin | undefined {
  if (selected === undefined) return undefined;
  const { resolved, artifact } = from;
  const component = found && componentStatus(found);
  const root = spec.component === undefined ? [resolved.root.digest] : [];
  return {
    derivation: derivationOf({ spec, resolved, selected, component, verification, artifact }),
    repository: contentRepository({ repository: from.repository, found }),
    place: contentPlace(spec, found).place,
    subjects: unchangedFrom(selected, artifact, root),
  };
}

/** The manifest of the one layer that is the artifact byte for byte, and the index that it was found by. */
function unchangedFrom({ layers = [], layerCount }: SelectedStatus, artifact: Artifact, root: Digest[]): Digest[] {
  const [layer] = layers;
  if (layer === undefined || layerCount !== 1 || layer.digest !== artifact.digest) return [];
  return [...new Set([...(isDigest(layer.manifest) ? [layer.manifest] : []), ...root])];
}
