import type { Rank } from "./policy.ts";
import { compareRanks, rankOf, valueOf } from "./policy.ts";
import type { ListRule } from "./rule.ts";

/** A tag that a rule lets in, and where it stands among the others. */
export interface Candidate {
  readonly tag: string;
  readonly rank: Rank;
}

/** What a rule makes of one tag. */
export type Judgement =
  | { readonly kind: "filtered" }
  /** Its value is not a version, or not in the range. */
  | { readonly kind: "outside"; readonly value: string }
  /** `asChart`: it counts only where no other tag does. */
  | { readonly kind: "candidate"; readonly candidate: Candidate; readonly asChart: boolean };

/**
 * A tag such as `1.2.3_build.5` is a version only where `_` stands for `+`. Unless the spec says that it is about a
 * chart, it counts only where nothing else matches: source-controller would find nothing there.
 * @throws NoTagMatch for a value that the policy cannot order
 */
export function judgeTag(tag: string, rule: ListRule): Judgement {
  const written = valueOf(tag, rule.filter);
  if (written === undefined) return { kind: "filtered" };
  const underscored = !rule.component && rule.origin === "semver" && written.includes("_");
  const value = underscored ? written.replaceAll("_", "+") : versionOf(written, rule);
  const rank = rankOf(tag, value, rule.policy);
  if (rank === undefined) return { kind: "outside", value };
  return { kind: "candidate", candidate: { tag, rank }, asChart: underscored && !rule.chart };
}

/** An order of text or numbers is that of the tags themselves. */
function versionOf(value: string, { component, policy }: ListRule): string {
  return component && policy.kind === "semver" ? value.replace(".build-", "+") : value;
}

/**
 * Positive where `a` is taken before `b`. Of tags with equal value the first in byte order wins under `ref.semver` and the
 * last under a policy: what source-controller and image-reflector-controller take where the registry lists in that order.
 */
export function compareCandidates(a: Candidate, b: Candidate, rule: ListRule): number {
  const order = compareRanks(a.rank, b.rank);
  if (order !== 0 || a.tag === b.tag) return order;
  return a.tag < b.tag === (rule.origin === "semver") ? 1 : -1;
}
