import { titleKey } from "../oci/annotations.ts";
import { stringify } from "yaml";
import { CodedError } from "../errors.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Annotations, Layer, ManifestNode } from "../oci/types.ts";
import { configOf, isEmpty, layersOf, type LayerChoice } from "./choose-layers.ts";
import type { ManifestChoice, Missing } from "./choose-manifests.ts";
import { layerMatcher } from "./layer-matcher.ts";
import { isStated } from "./manifest-matcher.ts";
import { printable } from "../text/printable.ts";
import { firstEntries } from "./first-entries.ts";
import { suggestLayers } from "./suggest-layer.ts";
import { takeTogether } from "./suggest-together.ts";
import {
  candidateOf,
  candidatesOf,
  correct,
  narrow,
  type Candidate,
  type Suggestion,
  type Undecided,
} from "./suggest-manifest.ts";
import type { LayerSelector } from "./selection.ts";
import { counted } from "../text/count.ts";

const maxListed = 20;
const maxAnnotations = 4;

/** What a refused selection found, and the lines that decide it: AmbiguousManifest or NoManifestMatch. */
export function manifestError(choice: Exclude<ManifestChoice, { kind: "chosen" }>, undecided: Undecided): CodedError {
  if (choice.kind === "none") return noManifest(undecided);
  if (choice.kind === "missing") return missingManifest(choice.missing, undecided);
  const { nodes } = choice;
  const { suggestion, digest } = narrow(nodes, undecided);
  const message = [
    `${undecided.survey.root.digest} has ${nodes.length} manifests that match; choose one:`,
    ...list(nodes, (node) => manifestLine(candidateOf(node))),
    ...togetherAdvice(nodes, undecided),
    `to take ${digest}, write`,
    yaml(suggestion),
  ];
  return refusal("AmbiguousManifest", message, { ...manifestDetails(nodes.map(candidateOf)), suggestion });
}

/** Sparse indexes: the platform and the digest are what one mirrors by. */
function missingManifest({ descriptor, error }: Missing, { survey }: Undecided): CodedError {
  const { platform, digest } = descriptor;
  const candidates = candidatesOf(survey);
  const what = `${digest}${isStated(platform) ? ` for ${printable(formatPlatform(platform))}` : ""}`;
  const message = [
    `${survey.root.digest} lists ${what}, which the registry does not have: ${error.message}`,
    ...(candidates.length === 0
      ? ["nothing else that it lists can be taken"]
      : ["what can be taken is", ...list(candidates, manifestLine)]),
    "mirror what is missing, or name what is wanted by indexSelector.platform or ref.digest",
  ];
  return new CodedError("NotFound", message.join("\n"), { cause: error, details: manifestDetails(candidates) });
}

function togetherAdvice(nodes: readonly ManifestNode[], undecided: Undecided): string[] {
  const fields = takeTogether(nodes, undecided);
  return fields === undefined ? [] : [`all of them together are taken with ${fields.join(", ")}`];
}

function noManifest(undecided: Undecided): CodedError {
  const { survey } = undecided;
  const candidates = candidatesOf(survey);
  if (candidates.length === 0)
    return refusal(
      "NoManifestMatch",
      [`${survey.root.digest} is an index without manifests; name another tag or digest`],
      manifestDetails([]),
    );
  const asked =
    Object.keys(undecided.indexSelector ?? {}).length > 0
      ? "indexSelector matches no manifest"
      : "there is no manifest to take";
  const found = correct(undecided);
  const message = [
    `${asked} of ${survey.root.digest}; there ${candidates.length === 1 ? "is" : "are"}:`,
    ...list(candidates, manifestLine),
    ...(found ? [`to take ${found.digest}, write`, yaml(found.suggestion)] : []),
  ];
  return refusal("NoManifestMatch", message, {
    ...manifestDetails(candidates),
    ...(found && { suggestion: found.suggestion }),
  });
}

/** AmbiguousLayer, NoLayerMatch or OffsetOutOfRange. */
export function layerError(
  choice: Refused,
  nodes: readonly ManifestNode[],
  selector: LayerSelector | undefined,
): CodedError {
  const found = suggestLayers(choice, nodes, selector);
  const suggestion: Suggestion | undefined = found && { layerSelector: found };
  const among = layersAmong(choice, nodes);
  const message = [
    headline(choice, nodes, { selector, isEmpty: among.length === 0 }),
    ...list(among, layerLine),
    ...otherwise(choice, suggestion),
    ...(suggestion ? [advice[choice.kind], yaml(suggestion)] : []),
  ];
  const details = {
    candidates: among.slice(0, maxListed).map(layerDetails),
    count: among.length,
    ...(suggestion && { suggestion }),
  };
  return refusal(codes[choice.kind], message, details);
}

type Refused = Exclude<LayerChoice, { kind: "chosen" }>;

const codes = {
  ambiguous: "AmbiguousLayer",
  several: "AmbiguousLayer",
  none: "NoLayerMatch",
  outOfRange: "OffsetOutOfRange",
} as const;
const advice = {
  ambiguous: "to choose, write for example",
  several: "to put them together, write",
  none: "write for example",
  outOfRange: "write for example",
} as const;

function layersAmong(choice: Refused, nodes: readonly ManifestNode[]): readonly Layer[] {
  if (choice.kind === "several") return choice.offers.flatMap(({ pool }) => pool);
  if (choice.kind !== "none") return choice.offer.pool;
  return nodes.flatMap((node) => [...layersOf(node), ...[configOf(node)].filter((config) => !isEmpty(config))]);
}

interface Facts {
  readonly selector: LayerSelector | undefined;
  /** There is no layer at all to list. */
  readonly isEmpty: boolean;
}

function headline(choice: Refused, nodes: readonly ManifestNode[], { selector, isEmpty: isNone }: Facts): string {
  if (choice.kind === "several")
    return `${choice.operation} takes one layer, but several of the ${nodes.length} selected manifests give one:`;
  if (choice.kind === "none") {
    const where = nodes.length === 1 ? nodes[0]!.descriptor.digest : `the ${nodes.length} selected manifests`;
    if (isNone) return `${where} has no layer to take, and holds nothing else either`;
    return layerMatcher(selector).hasFilters
      ? `layerSelector matches no layer of ${where}, which holds:`
      : `${where} has no layer to take; what it holds:`;
  }
  const { node, pool, profile } = choice.offer;
  const { digest } = node.descriptor;
  if (choice.kind === "outOfRange")
    return `layerSelector.offset ${choice.offset} is out of range: ${digest} has ${rangeOf(pool.length)}:`;
  const layout = profile === undefined ? "an unknown layout" : `the ${profile.name} layout`;
  return `${digest} (${printable(node.effectiveType)}) is of ${layout} and has ${pool.length} layers that ${choice.operation} could take; choose one:`;
}

function rangeOf(count: number): string {
  return count === 1
    ? "one such layer, 0, or -1 from the end"
    : `${count} such layers, 0 to ${count - 1}, or -1 to -${count} from the end`;
}

function otherwise({ kind }: LayerChoice, suggestion: Suggestion | undefined): string[] {
  if (kind !== "ambiguous" || suggestion?.layerSelector?.operation === "ExtractAll") return [];
  return ["all of them are taken with layerSelector.operation: ExtractAll"];
}

function manifestLine({ descriptor, type, annotations }: Candidate): string {
  const { digest, platform } = descriptor;
  return [
    digest,
    type === undefined ? "(type unknown without fetching it)" : printable(type),
    platform && printable(formatPlatform(platform)),
    annotationText(annotations),
  ]
    .filter(Boolean)
    .join("  ");
}

function layerLine({ descriptor, ordinal }: Layer): string {
  const { mediaType, size, digest, annotations = {} } = descriptor;
  return [
    ordinal < 0 ? "config" : `offset ${ordinal}`,
    printable(mediaType),
    counted(size, "byte"),
    annotationText(annotations),
    digest,
  ]
    .filter(Boolean)
    .join("  ");
}

function annotationText(annotations: Annotations): string {
  const entries = firstEntries(annotations, maxAnnotations + 1);
  const shown = entries.slice(0, maxAnnotations).map(([key, value]) => `${printable(key, 80)}=${printable(value, 60)}`);
  return [...shown, ...(entries.length > maxAnnotations ? ["…"] : [])].join(" ");
}

function list<T>(items: readonly T[], lineOf: (item: T) => string): string[] {
  const more = items.length - maxListed;
  return [...items.slice(0, maxListed).map((item) => `  ${lineOf(item)}`), ...(more > 0 ? [`  and ${more} more`] : [])];
}

function manifestDetails(candidates: readonly Candidate[]): Record<string, unknown> {
  const rows = candidates.slice(0, maxListed).map(({ descriptor: { digest, platform }, type }) => ({
    digest,
    artifactType: type === undefined ? null : printable(type),
    platform: isStated(platform) ? printable(formatPlatform(platform)) : null,
  }));
  return { candidates: rows, count: candidates.length };
}

function layerDetails({ descriptor, node, ordinal }: Layer): Record<string, unknown> {
  const { digest, mediaType, size, annotations } = descriptor;
  const title = annotations?.[titleKey];
  return {
    digest,
    mediaType: printable(mediaType),
    size,
    offset: ordinal,
    title: title === undefined ? null : printable(title),
    manifest: node.descriptor.digest,
  };
}

function yaml(suggestion: Suggestion): string {
  return stringify(suggestion, { lineWidth: 0 }).trimEnd();
}

function refusal(
  code: "AmbiguousManifest" | "NoManifestMatch" | (typeof codes)[keyof typeof codes],
  message: readonly string[],
  details: Record<string, unknown>,
): CodedError {
  return new CodedError(code, message.join("\n"), { details });
}
