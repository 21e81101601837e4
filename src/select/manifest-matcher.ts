import { dockerConfigType, isIndexType } from "../oci/media-types.ts";
import { formatPlatform, matchesPlatform, parsePlatform } from "../oci/platform.ts";
import type { Annotations, Descriptor, ManifestNode, Platform } from "../oci/types.ts";
import { annotationPatterns } from "./annotation-pattern.ts";
import { compileGlob, type GlobMatcher } from "./glob.ts";
import { printable } from "../text/printable.ts";
import { remembered } from "./remembered.ts";
import type { IndexSelector } from "./selection.ts";

/** BuildKit, "attestation-storage.md": the annotation of what an index carries beside its images. */
const referenceType = "vnd.docker.reference.type";
const attestationType = "application/vnd.docker.attestation.manifest.v1+json";

/** spec.indexSelector, ready to be asked. An answer is a clause saying why not; undefined means yes. */
export interface ManifestMatcher {
  /** False where the selector says nothing about manifests, as `{match: First}` does. */
  readonly hasConditions: boolean;
  /** What a descriptor alone rules out: a manifest that is never fetched, an index that is not entered. */
  readonly refuse: (descriptor: Descriptor) => string | undefined;
  readonly reject: (node: ManifestNode) => string | undefined;
}

/** @throws InvalidSpec for a platform that is none */
export function manifestMatcher(selector: IndexSelector = unconditional): ManifestMatcher {
  return matcherOf(selector);
}

const unconditional: IndexSelector = {};
const matcherOf = remembered(createMatcher);

function createMatcher(selector: IndexSelector): ManifestMatcher {
  const platform = selector.platform === undefined ? undefined : parsePlatform(selector.platform);
  const type =
    selector.artifactType === undefined
      ? undefined
      : { pattern: selector.artifactType, matches: compileGlob(selector.artifactType) };
  const annotations = annotationPatterns(selector.annotations);
  const wantsAttestations = namesAttestations(selector, type?.matches);

  const rejectPlatform = (offered: Platform | undefined): string | undefined =>
    platform === undefined ? undefined : platformClause(platform, offered);
  const rejectType = (offered: string): string | undefined =>
    type === undefined || type.matches(offered)
      ? undefined
      : `its type ${printable(offered)} is not ${printable(type.pattern)}`;
  const rejectAnnotations = (offered: Annotations, isComplete: boolean): string | undefined => {
    const wrong = annotations.find(({ matches }) => !(matches(offered) ?? !isComplete));
    return wrong && annotationClause(wrong.key, wrong.pattern, offered);
  };

  return {
    hasConditions: platform !== undefined || type !== undefined || annotations.length > 0,
    refuse: (descriptor) => {
      if (isIndexType(descriptor.mediaType))
        return isStated(descriptor.platform) ? rejectPlatform(descriptor.platform) : undefined;
      if (!wantsAttestations && isAttestation(descriptor)) return "it is an attestation, which no selector names";
      const known = descriptor.artifactType === undefined ? undefined : rejectType(descriptor.artifactType);
      return rejectPlatform(descriptor.platform) ?? known ?? rejectAnnotations(descriptor.annotations ?? {}, false);
    },
    reject: remembered((node: ManifestNode) => {
      // api.md: where the root is itself a manifest, no index has stated a platform for it.
      const platformReason = node.path.length === 0 ? undefined : rejectPlatform(node.descriptor.platform);
      return platformReason ?? rejectType(node.effectiveType) ?? rejectAnnotations(node.effectiveAnnotations, true);
    }),
  };
}

/** Whether a child of an index is BuildKit's attestation for another child. */
export function isAttestation({ annotations }: Descriptor): boolean {
  return annotations !== undefined && Object.hasOwn(annotations, referenceType);
}

/** Whether an index says for which platform a child is; `unknown/unknown` says nothing. */
export function isStated(platform: Platform | undefined): platform is Platform {
  if (platform === undefined) return false;
  return [platform.os, platform.architecture].every((part) => part !== "" && part !== "unknown");
}

/** A pattern that takes images as well does not name what lies beside them. */
function namesAttestations({ platform, annotations }: IndexSelector, matchesType: GlobMatcher | undefined): boolean {
  if (
    platform?.startsWith("unknown/") ||
    Object.keys(annotations ?? {}).some((key) => key.startsWith("vnd.docker.reference."))
  )
    return true;
  return matchesType !== undefined && matchesType(attestationType) && !matchesType(dockerConfigType);
}

function platformClause(wanted: Platform, offered: Platform | undefined): string | undefined {
  if (offered === undefined) return `its index states no platform, and ${formatPlatform(wanted)} is asked for`;
  return matchesPlatform(wanted, offered)
    ? undefined
    : `its platform ${printable(formatPlatform(offered))} is not ${formatPlatform(wanted)}`;
}

/** Also for layers. */
export function annotationClause(key: string, pattern: string, offered: Annotations): string {
  if (!Object.hasOwn(offered, key)) return `it has no annotation ${printable(key)}`;
  return `its annotation ${printable(key)} is ${JSON.stringify(printable(offered[key]!))}, not ${JSON.stringify(printable(pattern))}`;
}
