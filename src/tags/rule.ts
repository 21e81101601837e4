import { CodedError } from "../errors.ts";
import { parseDigest } from "../oci/digest.ts";
import { defaultTag, formatVersion, isTag, type Version } from "../oci/reference.ts";
import type { Digest } from "../oci/types.ts";
import { parseExtract, parsePattern } from "./pattern.ts";
import type { Order, Policy, TagFilter } from "./policy.ts";
import { parseRange } from "./range.ts";

/** The fields of `spec.ref` that choose a tag or digest, as written. */
export interface TagQuery {
  readonly digest?: string;
  readonly tag?: string;
  readonly semver?: string;
  readonly semverFilter?: string;
  readonly filterTags?: { readonly pattern?: string; readonly extract?: string };
  readonly policy?: {
    readonly semver?: { readonly range: string };
    readonly alphabetical?: { readonly order?: string };
    readonly numerical?: { readonly order?: string };
  };
  /** The layer selector names Helm's chart type, so `_` in a tag stands for the `+` of build metadata. */
  readonly chart?: boolean;
  /** The tags are versions of an OCM component, in which `.build-` stands for the `+` of build metadata. */
  readonly component?: boolean;
}

export type TagRule = FixedReference | ListRule;

/** Nothing to choose: tags are never listed. */
export interface FixedReference {
  readonly kind: "fixed";
  readonly tag?: string;
  readonly digest?: Digest;
}

/** The tags have to be listed and one of them chosen. */
export interface ListRule {
  readonly kind: "list";
  /** Which fields it was written in; Flux breaks ties in one way for OCIRepository and in another for ImagePolicy. */
  readonly origin: "semver" | "policy";
  readonly policy: Policy;
  readonly filter?: TagFilter;
  readonly chart: boolean;
  readonly component: boolean;
}

/** The rule of who names one version. @throws InvalidReference, InvalidDigest */
export function namedRule(version: Version): TagRule {
  return parseTagRule(version.tag === undefined ? { digest: version.digest } : { tag: formatVersion(version) });
}

/**
 * Reads the fields by their precedence: digest, then semver or policy, then tag, then the tag `latest`.
 *
 * @throws InvalidSpec, InvalidPattern, InvalidReference, InvalidDigest
 */
export function parseTagRule(query: TagQuery): TagRule {
  if (query.digest) return { kind: "fixed", digest: parseDigest(query.digest) };
  if (query.semver && query.policy) {
    throw new CodedError(
      "InvalidSpec",
      "spec.ref.semver and spec.ref.policy are both set: keep one, or write policy: {semver: {range: …}}.",
    );
  }
  if (query.filterTags && !query.policy) {
    throw new CodedError(
      "InvalidSpec",
      "spec.ref.filterTags needs spec.ref.policy, which orders the tags that are left: add policy: {alphabetical: {order: asc}}.",
    );
  }
  if (query.semver) return semverRule(query.semver, query);
  if (query.policy) return policyRule(query.policy, query);
  return parseFixed(query.tag || defaultTag);
}

/** A tag, or `tag@sha256:…`, of which the digest decides and the tag names the revision. */
function parseFixed(text: string): FixedReference {
  const at = text.indexOf("@");
  const tag = at < 0 ? text : text.slice(0, at);
  if (!isTag(tag)) {
    throw new CodedError(
      "InvalidReference",
      `spec.ref.tag "${text.slice(0, 200)}" is not a tag: up to 128 letters, digits, ".", "_" and "-" are allowed, not starting with "." or "-". ` +
        "For a digest write ref.digest: sha256:…, for a range ref.semver.",
    );
  }
  return at < 0 ? { kind: "fixed", tag } : { kind: "fixed", tag, digest: parseDigest(text.slice(at + 1)) };
}

function semverRule(range: string, query: TagQuery): ListRule {
  const policy: Policy = { kind: "semver", range: parseRange(range) };
  const rule: ListRule = { kind: "list", origin: "semver", policy, ...tagFormOf(query) };
  return query.semverFilter
    ? { ...rule, filter: { pattern: parsePattern(query.semverFilter, "spec.ref.semverFilter") } }
    : rule;
}

function tagFormOf({ chart = false, component = false }: TagQuery): Pick<ListRule, "chart" | "component"> {
  return { chart, component };
}

function policyRule(written: NonNullable<TagQuery["policy"]>, query: TagQuery): ListRule {
  const rule: ListRule = {
    kind: "list",
    origin: "policy",
    policy: parsePolicy(written),
    ...tagFormOf(query),
    chart: false,
  };
  if (query.filterTags === undefined) return rule;
  const pattern = parsePattern(query.filterTags.pattern ?? "", "spec.ref.filterTags.pattern");
  const template = query.filterTags.extract;
  return {
    ...rule,
    filter: template
      ? { pattern, extractor: parseExtract(template, pattern, "spec.ref.filterTags.extract") }
      : { pattern },
  };
}

function parsePolicy(written: NonNullable<TagQuery["policy"]>): Policy {
  const { semver, alphabetical, numerical } = written;
  const [only, ...others] = [semver, alphabetical, numerical].filter((choice) => choice !== undefined);
  if (only === undefined || others.length > 0) {
    throw new CodedError(
      "InvalidSpec",
      "spec.ref.policy takes exactly one of semver, alphabetical and numerical, for example policy: {numerical: {order: asc}}.",
    );
  }
  if (semver) return { kind: "semver", range: parseRange(semver.range) };
  if (alphabetical) return { kind: "alphabetical", order: parseOrder(alphabetical.order) };
  return { kind: "numerical", order: parseOrder(numerical?.order) };
}

function parseOrder(order: string | undefined): Order {
  const lower = (order || "asc").toLowerCase();
  if (lower === "asc" || lower === "desc") return lower;
  throw new CodedError(
    "InvalidSpec",
    `The order "${order}" of spec.ref.policy is not known: write asc (the greatest is the latest) or desc (the smallest is).`,
  );
}
