import type { Layer, ManifestNode } from "../oci/types.ts";
import type { Profile } from "./profile.ts";
import { profiles } from "./profiles.ts";
import { remembered } from "./remembered.ts";

/** The known layout of a manifest; one without any of its layout's content layers is of no known layout. */
export const profileOf: (node: ManifestNode) => Profile | undefined = remembered((node: ManifestNode) =>
  profiles.find(
    (profile) =>
      profile.matches(node) &&
      (profile.takesConfig === true || node.manifest.layers.some((layer) => profile.isContent?.(layer) ?? true)),
  ),
);

/** How the layouts of the selected layers name raw layers; undefined where none of them does. */
export function namesOf(layers: readonly Layer[]): ((layer: Layer) => string | undefined) | undefined {
  const names = new Map<string, string>();
  for (const group of Map.groupBy(layers, ({ node }) => node).values()) nameGroup(group, names);
  return names.size === 0 ? undefined : (layer) => names.get(keyOf(layer));
}

function nameGroup(layers: readonly Layer[], names: Map<string, string>): void {
  const profile = profileOf(layers[0]!.node);
  if (profile?.nameOf === undefined) return;
  const content = layers[0]!.node.manifest.layers;
  const used = new Set<string>();
  for (const layer of layers) {
    const name = profile.nameOf(layer.descriptor, content);
    if (name === undefined) continue;
    const free = used.has(name) ? name.replace(/(\.[^./]*)?$/, `-${layer.ordinal}$1`) : name;
    used.add(free);
    names.set(keyOf(layer), free);
  }
}

function keyOf({ node, ordinal }: Layer): string {
  return `${node.descriptor.digest} ${ordinal}`;
}
