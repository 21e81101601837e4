import { titleKey } from "../oci/annotations.ts";
import { isIndexType } from "../oci/media-types.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Descriptor, Digest, Layer, ManifestNode } from "../oci/types.ts";
import type { Visit } from "../oci/walk.ts";
import { layersOf, type LayerChoice, type Offer } from "./choose-layers.ts";
import type { ManifestChoice } from "./choose-manifests.ts";
import { isStated } from "./manifest-matcher.ts";
import { printable } from "../text/printable.ts";
import type { Decision } from "./selection.ts";

/** How far a selection came; what is undefined was never decided. */
export interface Progress {
  readonly visits: readonly Visit[];
  readonly manifests: ManifestChoice | undefined;
  readonly layers: LayerChoice | undefined;
}

/** Tells of everything that was looked at, in walk order, the layers of a manifest after it. */
export function reportDecisions({ visits, manifests, layers }: Progress, tell: (decision: Decision) => void): void {
  for (const visit of visits) {
    tell(decisionOf(visit, manifests));
    const offer = visit.kind === "manifest" ? layers?.offers.find(({ node }) => node === visit.node) : undefined;
    if (offer !== undefined && layers !== undefined)
      for (const decision of layerDecisions(offer, layers)) tell(decision);
  }
}

function decisionOf(visit: Visit, manifests: ManifestChoice | undefined): Decision {
  const { descriptor, path } = visit;
  const common = { digest: descriptor.digest, depth: path.length };
  if (visit.kind === "index")
    return {
      ...common,
      kind: "index",
      label: indexLabel(visit.index.artifactType, descriptor),
      taken: true,
      reason: path.length === 0 ? "it is what the reference names" : "its children are looked at",
    };
  if (visit.kind === "passed" || visit.kind === "missing")
    return {
      ...common,
      kind: isIndexType(descriptor.mediaType) ? "index" : "manifest",
      label: labelOf(descriptor.artifactType, descriptor),
      taken: false,
      reason: visit.kind === "passed" ? visit.reason : "the registry does not have it",
    };
  return nodeDecision(visit.node, manifests, common);
}

function nodeDecision(
  node: ManifestNode,
  manifests: ManifestChoice | undefined,
  common: { readonly digest: Digest; readonly depth: number },
): Decision {
  const taken = manifests?.kind === "chosen" && manifests.nodes.includes(node);
  const reason = manifests?.reasons.get(node) ?? "the walk ended before the choice";
  return { ...common, kind: "manifest", label: labelOf(node.effectiveType, node.descriptor), taken, reason };
}

function layerDecisions({ node, pool, passed, profile }: Offer, choice: LayerChoice): Decision[] {
  const chosen = choice.kind === "chosen" ? choice.layers.filter((layer) => layer.node === node) : [];
  const ordinals = new Set(chosen.map(({ ordinal }) => ordinal));
  const isTaken = ({ ordinal }: Layer): boolean => ordinals.has(ordinal);
  // The config blob is not a layer; it is told of where it was taken in the place of one.
  const told = [...pool.filter(({ ordinal }) => ordinal < 0), ...layersOf(node)];
  const clauses = new Map([...passed].map(([{ ordinal }, reason]) => [ordinal, reason]));
  return told.map((layer) => ({
    kind: "layer",
    digest: layer.descriptor.digest,
    depth: node.path.length,
    label: layerLabel(layer),
    taken: isTaken(layer),
    reason:
      clauses.get(layer.ordinal) ??
      (isTaken(layer) ? takenReason(choice, pool, profile?.name) : leftReason(choice, pool)),
  }));
}

function takenReason({ operation }: LayerChoice, pool: readonly Layer[], profile: string | undefined): string {
  const content = profile === undefined ? "" : ` of the ${profile} layout`;
  if (pool[0]?.ordinal === -1) return `it is the config${content}`;
  if (pool.length === 1) return `it is the only layer to take${content}`;
  return operation === "ExtractAll"
    ? `ExtractAll takes every layer${content}`
    : "it stands at layerSelector.offset among those that match";
}

function leftReason(choice: LayerChoice, pool: readonly Layer[]): string {
  switch (choice.kind) {
    case "ambiguous":
      return `it is one of ${pool.length} layers that match`;
    case "several":
      return `${choice.operation} takes one layer, and several manifests give one`;
    case "outOfRange":
      return `layerSelector.offset ${choice.offset} names none of ${pool.length}`;
    default:
      return "layerSelector.offset names another";
  }
}

function labelOf(type: string | undefined, { mediaType, platform }: Descriptor): string {
  return [printable(type ?? mediaType), isStated(platform) ? printable(formatPlatform(platform)) : ""]
    .filter(Boolean)
    .join(" ");
}

function indexLabel(type: string | undefined, descriptor: Descriptor): string {
  return labelOf(descriptor.artifactType ?? type, descriptor);
}

function layerLabel({ descriptor: { mediaType, annotations } }: Layer): string {
  const title = annotations?.[titleKey];
  return title ? `${printable(title)} ${printable(mediaType)}` : printable(mediaType);
}
