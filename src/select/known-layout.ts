import type { Layer, ManifestNode } from "../oci/types.ts";
import type { LayerNames, LayoutRules, OperationName } from "../operation/operation.ts";
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

/** Types of archives, as far as a name can say; the first bytes decide, but nobody has them yet. */
export const archiveType = /(?:tar|zip|gz|tgz|zst|zstd|layer\.v1)$/;

/** What is done with the content of a manifest, as far as can be told before it is there; undefined: Extract. */
export function usualOperation(node: ManifestNode): OperationName | undefined {
  const known = profileOf(node)?.operation;
  const [only, ...others] = node.manifest.layers;
  if (known !== undefined || only === undefined || others.length > 0) return known;
  return archiveType.test(only.mediaType) ? undefined : "Copy";
}

/** How the layouts of the selected layers name raw layers; undefined where none of them does. */
export function namesOf(layers: readonly Layer[]): LayerNames | undefined {
  const groups = [...Map.groupBy(layers, ({ node }) => node)].filter(([node]) => profileOf(node)?.nameOf !== undefined);
  if (groups.length === 0) return undefined;
  let names: Map<string, string> | undefined;
  return (layer, where) => {
    if (names === undefined) {
      names = new Map();
      for (const [, group] of groups) nameGroup(group, where, names);
    }
    return names.get(keyOf(layer));
  };
}

/** What else the layouts have. @param isWhole whether all of their content was selected */
export function rulesOf(layers: readonly Layer[], isWhole: boolean): LayoutRules | undefined {
  const nodes = [...new Set(layers.map(({ node }) => node))];
  const known = nodes.flatMap((node) => profileOf(node) ?? []);
  if (!known.some(({ isExecutable, holdsOneFile, filesOf }) => isExecutable ?? holdsOneFile ?? filesOf))
    return undefined;
  const configs = nodes.flatMap((node) => {
    const filesOf = isWhole ? profileOf(node)?.filesOf : undefined;
    return filesOf === undefined ? [] : [{ config: { descriptor: node.manifest.config, node, ordinal: -1 }, filesOf }];
  });
  return {
    isExecutable: ({ node, descriptor }) => profileOf(node)?.isExecutable?.(descriptor) === true,
    holdsOneFile: ({ node, ordinal }) => ordinal >= 0 && profileOf(node)?.holdsOneFile === true,
    configs,
  };
}

function nameGroup(
  layers: readonly Layer[],
  where: { readonly tag: string; readonly repository: string },
  names: Map<string, string>,
): void {
  const { node } = layers[0]!;
  const used = new Set<string>();
  for (const layer of layers) {
    const name = profileOf(node)?.nameOf?.(layer.descriptor, { ...where, node, content: node.manifest.layers });
    if (name === undefined) continue;
    const free = used.has(name) ? name.replace(/(\.[^./]*)?$/, `-${layer.ordinal}$1`) : name;
    used.add(free);
    names.set(keyOf(layer), free);
  }
}

function keyOf({ node, ordinal }: Layer): string {
  return `${node.descriptor.digest} ${ordinal}`;
}
