import { titleKey } from "../oci/annotations.ts";
import type { ManifestNode } from "../oci/types.ts";
import { formatPlatform } from "../oci/platform.ts";
import { chooseLayers } from "./choose-layers.ts";
import { isStated } from "./manifest-matcher.ts";
import { namesOf } from "./known-layout.ts";
import type { LayerSelector } from "./selection.ts";
import type { Undecided } from "./suggest-manifest.ts";

/** More manifests are hardly meant together, and every one would be looked at. */
const maxManifests = 100;

/**
 * The fields to add so that all of these manifests are taken, as far as can be told without their content: files of one name
 * in two of them need a directory for each manifest. Undefined where nothing of the kind would go through.
 */
export function takeTogether(
  nodes: readonly ManifestNode[],
  { layerSelector: given = {} }: Undecided,
): readonly string[] | undefined {
  if (nodes.length > maxManifests) return undefined;
  const match = "indexSelector.match: All";
  const operation = "layerSelector.operation: ExtractAll";
  const asGiven = chooseLayers(nodes, given);
  const isAll = asGiven.kind === "chosen" && asGiven.operation === "ExtractAll";
  const fields = isAll ? [match] : [match, operation];
  const merged: LayerSelector = { ...given, operation: "ExtractAll" };
  if (areApart(nodes, merged)) return fields;
  const apart: LayerSelector = { ...merged, layout: "ManifestPerDir" };
  if (chooseLayers(nodes, apart).kind !== "chosen") return undefined;
  const directories = new Set(nodes.map(directoryOf));
  const names = directories.size === nodes.length ? [] : ['layerSelector.filename: "{hex}"'];
  return [...fields, "layerSelector.layout: ManifestPerDir", ...names];
}

/** What the directory of a manifest is named by, see `manifestDirectory`. */
function directoryOf({ descriptor, effectiveAnnotations }: ManifestNode): string {
  const { platform, digest } = descriptor;
  return effectiveAnnotations[titleKey] || (isStated(platform) ? formatPlatform(platform) : digest);
}

/** Whether each manifest names its files, and no name is that of a file of another. */
function areApart(nodes: readonly ManifestNode[], selector: LayerSelector): boolean {
  const choice = chooseLayers(nodes, selector);
  if (choice.kind !== "chosen") return false;
  const names = namesOf(choice.layers);
  const found = choice.layers.map(
    (layer) => names?.(layer, { tag: "", repository: "" }) ?? layer.descriptor.annotations?.[titleKey],
  );
  return found.every((name) => name !== undefined) && new Set(found).size === found.length;
}
