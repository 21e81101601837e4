import { CodedError } from "../errors.ts";
import type { Extractor, TagPattern } from "./pattern.ts";
import { extract, matches } from "./pattern.ts";
import type { VersionRange } from "./range.ts";
import { inRange } from "./range.ts";
import type { Version } from "./semver.ts";
import { compareVersions, parseTagVersion } from "./semver.ts";

export type Order = "asc" | "desc";

/** What makes a tag the latest, as in Flux's ImagePolicy. `asc`, the default, takes the greatest value, `desc` the smallest. */
export type Policy =
  | { readonly kind: "semver"; readonly range: VersionRange }
  | { readonly kind: "alphabetical"; readonly order: Order }
  | { readonly kind: "numerical"; readonly order: Order };

/** `filterTags`: which tags take part, and the value by which they are ordered (the tag itself without a template). */
export interface TagFilter {
  readonly pattern: TagPattern;
  readonly extractor?: Extractor;
}

/** The value of a tag, ready to compare. */
export type Rank =
  | { readonly kind: "semver"; readonly version: Version }
  | { readonly kind: "alphabetical"; readonly value: string; readonly order: Order }
  | { readonly kind: "numerical"; readonly value: number; readonly exact: bigint | undefined; readonly order: Order };

const numberPattern = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const integerPattern = /^[+-]?[0-9]+$/;

/** The value a policy looks at, or undefined for a tag that the filter leaves out. */
export function valueOf(tag: string, filter: TagFilter | undefined): string | undefined {
  if (filter === undefined) return tag;
  if (filter.extractor === undefined) return matches(filter.pattern, tag) ? tag : undefined;
  return extract(tag, filter.pattern, filter.extractor);
}

/**
 * @returns undefined for a value that takes no part: no version, or one outside the range
 * @throws NoTagMatch for a value that a numerical policy cannot order, as in Flux; leaving it out would be a guess
 */
export function rankOf(tag: string, value: string, policy: Policy): Rank | undefined {
  switch (policy.kind) {
    case "semver": {
      const version = parseTagVersion(value);
      return version !== undefined && inRange(version, policy.range) ? { kind: "semver", version } : undefined;
    }
    case "alphabetical":
      return { kind: "alphabetical", value, order: policy.order };
    case "numerical":
      return numericalRank(tag, value, policy.order);
  }
}

function numericalRank(tag: string, value: string, order: Order): Rank {
  const number = numberPattern.test(value) ? Number(value) : Number.NaN;
  if (!Number.isFinite(number)) {
    const found = tag === value ? `The tag "${tag}"` : `"${value}", taken from the tag "${tag}",`;
    throw new CodedError(
      "NoTagMatch",
      `${found} is not a number, so spec.ref.policy.numerical cannot order it. Leave such tags out with spec.ref.filterTags, for ` +
        `example {pattern: '^main-[0-9]+$'}, or take the number with {pattern: '^main-(?P<n>[0-9]+)$', extract: '$n'}.`,
      { details: { tag, value } },
    );
  }
  return {
    kind: "numerical",
    value: number,
    exact: integerPattern.test(value) ? BigInt(value.replace("+", "")) : undefined,
    order,
  };
}

/** Positive where `a` is the later one. Ranks of one policy are of one kind. */
export function compareRanks(a: Rank, b: Rank): number {
  if (a.kind === "semver" && b.kind === "semver") return compareVersions(a.version, b.version);
  if (a.kind === "alphabetical" && b.kind === "alphabetical") return directed(compare(a.value, b.value), a.order);
  if (a.kind === "numerical" && b.kind === "numerical") return directed(compareNumbers(a, b), a.order);
  return 0;
}

type Numerical = Extract<Rank, { kind: "numerical" }>;

/** Integers beyond 2^53, such as times in nanoseconds, are told apart although their floating-point values are equal. */
function compareNumbers(a: Numerical, b: Numerical): number {
  if (a.exact !== undefined && b.exact !== undefined) return compare(a.exact, b.exact);
  return compare(a.value, b.value);
}

function directed(order: number, direction: Order): number {
  return direction === "asc" ? order : -order;
}

function compare<T extends string | number | bigint>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
