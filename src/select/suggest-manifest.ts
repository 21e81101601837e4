import { isIndexType } from "../oci/media-types.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Annotations, Descriptor, Digest, ManifestNode } from "../oci/types.ts";
import { chooseManifests, nodesOf, type Survey } from "./choose-manifests.ts";
import { manifestMatcher } from "./manifest-matcher.ts";
import { isQuotable } from "../text/printable.ts";
import { firstEntries } from "./first-entries.ts";
import { escapeGlob } from "./glob.ts";
import type { IndexSelector, LayerSelector } from "./selection.ts";

/** How many manifests, and annotations of each, suggestions are tried with. */
const maxTried = 20;
/** Every suggestion is tried on every manifest: so many manifests are looked at for all suggestions together. */
const maxLooks = 20_000;

/** A fragment of the spec: the fields that decide, together with what already stood beside them. */
export interface Suggestion {
  readonly ref?: { readonly digest: Digest };
  /** What is meant of an OCM component version. */
  readonly component?: object;
  readonly indexSelector?: IndexSelector;
  readonly layerSelector?: LayerSelector;
}

/** What is known of a manifest, whether or not it was fetched. */
export interface Candidate {
  readonly descriptor: Descriptor;
  /** Undefined where only the manifest itself would tell. */
  readonly type: string | undefined;
  readonly annotations: Annotations;
}

/** A manifest that was fetched, as a candidate. */
export function candidateOf(node: ManifestNode): Candidate {
  return { descriptor: node.descriptor, type: node.effectiveType, annotations: node.effectiveAnnotations };
}

/** Every manifest that was met, fetched or not, in walk order. */
export function candidatesOf({ visits }: Survey): Candidate[] {
  return visits.flatMap((visit): Candidate[] => {
    if (visit.kind === "manifest") return [candidateOf(visit.node)];
    const { descriptor } = visit;
    if (visit.kind === "index" || visit.kind === "missing" || visit.isForeign || isIndexType(descriptor.mediaType))
      return [];
    return [{ descriptor, type: descriptor.artifactType, annotations: descriptor.annotations ?? {} }];
  });
}

/** What a selection fails on, and in what it was made. */
export interface Undecided {
  readonly survey: Survey;
  readonly indexSelector: IndexSelector | undefined;
  readonly layerSelector: LayerSelector | undefined;
}

/**
 * What to add so that exactly one of `candidates` is left, tried out before it is suggested: a type, else a platform, else
 * an annotation, else two of these together, else the digest.
 */
export function narrow(
  candidates: readonly ManifestNode[],
  undecided: Undecided,
): { readonly suggestion: Suggestion; readonly digest: Digest } {
  const given = conditionsOf(undecided.indexSelector);
  const decides = trial(undecided);
  for (const conditionsFor of [typeConditions, platformConditions, annotationConditions, pairConditions]) {
    for (const node of candidates.slice(0, maxTried)) {
      const found = conditionsFor(candidateOf(node), given).find((selector) => decides(selector, node.descriptor));
      if (found !== undefined) return { suggestion: { indexSelector: found }, digest: node.descriptor.digest };
    }
  }
  const { digest } = candidates[0]!.descriptor;
  return { suggestion: { ref: { digest } }, digest };
}

/** What to write instead of a selector that matches nothing: the same conditions with the values of a manifest that is there. */
export function correct(
  undecided: Undecided,
): { readonly suggestion: Suggestion; readonly digest: Digest } | undefined {
  const candidates = candidatesOf(undecided.survey);
  const decides = trial(undecided);
  for (const candidate of candidates.slice(0, maxTried)) {
    const selector = corrected(candidate, conditionsOf(undecided.indexSelector));
    if (selector !== undefined && decides(selector, candidate.descriptor))
      return { suggestion: { indexSelector: selector }, digest: candidate.descriptor.digest };
  }
  const [first] = candidates;
  return (
    first && {
      suggestion: { ref: { digest: first.descriptor.digest }, indexSelector: {} },
      digest: first.descriptor.digest,
    }
  );
}

/** Tries selectors until that has cost enough; what comes after decides nothing. */
function trial(undecided: Undecided): (selector: IndexSelector, descriptor: Descriptor) => boolean {
  const { visits } = undecided.survey;
  let looks = 0;
  return (selector, descriptor) => {
    looks += visits.length;
    return looks <= Math.max(maxLooks, maxTried * visits.length) && decides(selector, descriptor, undecided);
  };
}

/** Whether `selector` takes this manifest alone, as far as everything that was met is concerned. */
function decides(selector: IndexSelector, { digest }: Descriptor, { survey, layerSelector }: Undecided): boolean {
  const matcher = manifestMatcher(selector);
  // What would be let in now has not been looked at: it may match as well, unless it is the one that is meant.
  const opened = survey.visits.filter(
    (visit) => visit.kind === "passed" && !visit.isForeign && matcher.refuse(visit.descriptor) === undefined,
  );
  const nodes = nodesOf(survey).filter(
    (node) => node.path.length === 0 || matcher.refuse(node.descriptor) === undefined,
  );
  const choice = chooseManifests(nodes, selector, layerSelector);
  if (opened.length === 0)
    return choice.kind === "chosen" && choice.nodes.length === 1 && choice.nodes[0]!.descriptor.digest === digest;
  // Its descriptor alone has given every value of the selector.
  const [only, ...others] = opened;
  return choice.kind === "none" && others.length === 0 && only!.descriptor.digest === digest;
}

/** `given` with this manifest's values; undefined where it lacks one, or has one that cannot be written. */
function corrected(candidate: Candidate, given: IndexSelector): IndexSelector | undefined {
  const annotations: [string, string][] = [];
  for (const key of Object.keys(given.annotations ?? {})) {
    const value = candidate.annotations[key];
    if (value === undefined || !isQuotable(value)) return undefined;
    annotations.push([key, escapeGlob(value)]);
  }
  const withAnnotations = given.annotations === undefined ? {} : { annotations: Object.fromEntries(annotations) };
  const [withType] = given.artifactType === undefined ? [withAnnotations] : typeConditions(candidate, withAnnotations);
  if (given.platform === undefined || withType === undefined) return withType;
  return platformConditions(candidate, withType)[0];
}

function typeConditions({ type }: Candidate, given: IndexSelector): IndexSelector[] {
  return type !== undefined && isQuotable(type) ? [{ ...given, artifactType: escapeGlob(type) }] : [];
}

function platformConditions({ descriptor: { platform } }: Candidate, given: IndexSelector): IndexSelector[] {
  if (platform === undefined) return [];
  const { os, architecture, variant } = platform;
  const text = formatPlatform({ os, architecture, ...(variant !== undefined && { variant }) });
  return /^[\w.-]+(?:\/[\w.-]+){1,2}$/.test(text) ? [{ ...given, platform: text }] : [];
}

/** What changes with every build says no more than a digest, and says it worse. */
const volatile = /(?:^|\.)(?:created|revision|digest)$/;

function annotationConditions({ annotations }: Candidate, given: IndexSelector): IndexSelector[] {
  return firstEntries(annotations, 2 * maxTried)
    .filter(([key, value]) => !volatile.test(key) && isQuotable(key) && isQuotable(value))
    .slice(0, maxTried)
    .flatMap(([key, value]) => [{ ...given, annotations: { ...given.annotations, [key]: escapeGlob(value) } }]);
}

/** Two conditions together, for manifests that differ from each other in more than one way. */
function pairConditions(candidate: Candidate, given: IndexSelector): IndexSelector[] {
  const kinds = [typeConditions, platformConditions, annotationConditions] as const;
  return kinds.flatMap((first, at) =>
    first(candidate, given).flatMap((one) => kinds.slice(at).flatMap((second) => second(candidate, one))),
  );
}

function conditionsOf(selector: IndexSelector = {}): IndexSelector {
  const { match: _, ...conditions } = selector;
  return conditions;
}
