import { CodedError } from "../errors.ts";
import type { Layer } from "../oci/types.ts";

/** The one layer that Copy and Extract take. @throws Internal where the selection has let several through */
export function onlyLayer(layers: readonly Layer[]): Layer {
  const [layer, ...others] = layers;
  if (layer === undefined || others.length > 0)
    throw new CodedError("Internal", `Copy and Extract take one layer, not ${layers.length}`);
  return layer;
}
