import { titleKey } from "../oci/annotations.ts";
import type { Annotations, Layer, ManifestNode } from "../oci/types.ts";
import { chooseLayers, configOf, isEmpty, layersOf, type LayerChoice, type Offer } from "./choose-layers.ts";
import { isQuotable } from "../text/printable.ts";
import { firstEntries } from "./first-entries.ts";
import { archiveType } from "./known-layout.ts";
import { escapeGlob } from "./glob.ts";
import type { LayerSelector } from "./selection.ts";

/** How many layers, annotations and manifests suggestions are tried with. */
const maxTried = 20;
/** Every suggestion is tried on every layer: so many layers are looked at for all suggestions together. */
const maxLooks = 200_000;

/**
 * What to add, or to write instead, so that layers can be taken; tried out before it is suggested. Undefined where there
 * is nothing to take.
 */
export function suggestLayers(
  choice: Exclude<LayerChoice, { kind: "chosen" }>,
  nodes: readonly ManifestNode[],
  selector: LayerSelector = {},
): LayerSelector | undefined {
  const layers = nodes.reduce((sum, { manifest }) => sum + 1 + manifest.layers.length, 0);
  const tries = Math.max(3, Math.floor(maxLooks / layers));
  return variantsFor(choice, nodes, selector)
    .slice(0, tries)
    .find((variant) => {
      const tried = chooseLayers(nodes, variant);
      return tried.kind === "chosen" && (tried.operation === "ExtractAll" || tried.layers.length === 1);
    });
}

function variantsFor(
  choice: Exclude<LayerChoice, { kind: "chosen" }>,
  nodes: readonly ManifestNode[],
  selector: LayerSelector,
): LayerSelector[] {
  const kept = withoutDefaults(selector);
  const all = { ...without(kept, "offset"), operation: "ExtractAll" } as const;
  switch (choice.kind) {
    case "several":
      return [all];
    case "outOfRange":
      return [{ ...kept, offset: choice.offset < 0 ? -choice.offer.pool.length : choice.offer.pool.length - 1 }];
    case "ambiguous":
      // Where all the layers belong together, one of them is hardly what was meant.
      return choice.offer.profile?.operation === "ExtractAll" ? [all] : [...narrowing(choice.offer, kept), all];
    case "none":
      return nodes.slice(0, maxTried).flatMap((node) => correcting(node, kept));
  }
}

/** Selectors for one layer each: by type, by annotation, by type and offset. */
function narrowing({ pool, profile }: Offer, kept: LayerSelector): LayerSelector[] {
  const targets = pool.slice(0, maxTried);
  const filtersOf: readonly ((layer: Layer) => LayerSelector[])[] = [
    (layer) => (sameType(layer, pool).length === 1 ? [typeOf(layer)] : []),
    (layer) => annotationsOf(layer).flatMap((annotations) => (isOnly(annotations, pool) ? [{ annotations }] : [])),
    (layer) => [{ ...typeOf(layer), offset: sameType(layer, pool).indexOf(layer) }],
  ];
  const variants = filtersOf.flatMap((filters) =>
    targets.flatMap((layer) =>
      filters(layer).map((filter) => Object.assign(usual(layer, kept, profile === undefined), filter)),
    ),
  );
  return variants.filter(({ mediaType }) => mediaType === undefined || isQuotable(mediaType));
}

/** The filters that fit a layer which is there, and last the config blob. */
function correcting(node: ManifestNode, kept: LayerSelector): LayerSelector[] {
  const base = without(without(kept, "annotations"), "offset");
  const types = layersOf(node).slice(0, maxTried).map(typeOf);
  const config = configOf(node);
  const variants: LayerSelector[] = [];
  if (kept.annotations !== undefined)
    for (const type of types) variants.push({ ...base, ...type, annotations: kept.annotations });
  for (const type of types) variants.push({ ...base, ...type });
  if (!isEmpty(config)) variants.push({ ...base, ...typeOf(config), operation: "Copy" });
  return variants.filter(({ mediaType }) => isQuotable(mediaType ?? ""));
}

function sameType({ descriptor: { mediaType } }: Layer, pool: readonly Layer[]): Layer[] {
  return pool.filter(({ descriptor }) => descriptor.mediaType === mediaType);
}

function typeOf({ descriptor: { mediaType } }: Layer): { mediaType: string } {
  return { mediaType: escapeGlob(mediaType) };
}

/** Annotations that could tell a layer, its title first. */
function annotationsOf({ descriptor: { annotations = {} } }: Layer): Annotations[] {
  const title = annotations[titleKey];
  const others = firstEntries(annotations, maxTried).filter(([key]) => key !== titleKey);
  const entries = title === undefined ? others : [[titleKey, title] as const, ...others];
  return entries
    .filter(([key, value]) => isQuotable(key) && isQuotable(value))
    .map(([key, value]) => ({ [key]: escapeGlob(value) }));
}

function isOnly(wanted: Annotations, pool: readonly Layer[]): boolean {
  const [[key, value]] = Object.entries(wanted) as [[string, string]];
  return (
    pool.filter(({ descriptor: { annotations = {} } }) => escapeGlob(annotations[key] ?? "") === value).length === 1
  );
}

/** A layer that looks like a single file has nothing to extract. */
function usual({ descriptor: { mediaType } }: Layer, kept: LayerSelector, isUnknown: boolean): LayerSelector {
  return isUnknown && kept.operation === undefined && !archiveType.test(mediaType)
    ? { ...kept, operation: "Copy" }
    : { ...kept };
}

/** What the user wrote, without what only the schema has filled in. */
function withoutDefaults(selector: LayerSelector): LayerSelector {
  const defaults: Readonly<Record<string, unknown>> = { offset: 0, onConflict: "Fail", symlinks: "Skip" };
  return Object.fromEntries(
    Object.entries(selector).filter(([key, value]) => value !== undefined && defaults[key] !== value),
  );
}

function without(selector: LayerSelector, key: keyof LayerSelector): LayerSelector {
  const { [key]: _, ...rest } = selector;
  return rest;
}
