import { Turns } from "../turns.ts";
import type { TagLister } from "../oci/content.ts";
import { isTag } from "../oci/reference.ts";
import type { Digest } from "../oci/types.ts";
import { Census } from "./census.ts";
import type { Rank } from "./policy.ts";
import { compareRanks, rankOf, valueOf } from "./policy.ts";
import type { ListRule, TagRule } from "./rule.ts";

/** What to resolve: the digest where there is one, else the tag. */
export interface ChosenReference {
  readonly tag?: string;
  readonly digest?: Digest;
}

interface Candidate {
  readonly tag: string;
  readonly rank: Rank;
}

/** How many tags are judged between two looks at the clock. */
const SLICE_TAGS = 32;

/** Lists tags only where the rule needs them. @throws as `chooseTag` */
export async function chooseReference(
  rule: TagRule,
  repository: TagLister & { readonly name: string },
  signal: AbortSignal,
): Promise<ChosenReference> {
  if (rule.kind === "fixed")
    return rule.tag === undefined ? { digest: rule.digest } : { tag: rule.tag, digest: rule.digest };
  return { tag: await chooseTag(repository.tags(signal), rule, { repository: repository.name, signal }) };
}

/**
 * The tag that the rule names the latest. Only the best one so far and a few samples for the message are kept, however
 * many tags there are.
 *
 * Of tags with equal value the first in byte order wins under `ref.semver` and the last under a policy: what
 * source-controller and image-reflector-controller take where the registry lists in that order. Here it does not
 * depend on the order.
 *
 * @throws NoTagMatch with what there was and what to write; RegistryUnreachable, … from the listing
 */
export async function chooseTag(
  pages: AsyncIterable<readonly string[]>,
  rule: ListRule,
  context: { readonly repository: string; readonly signal: AbortSignal },
): Promise<string> {
  const contest = new Contest(rule);
  const turns = new Turns(context.signal);
  for await (const page of pages) {
    for (let from = 0; from < page.length; from += SLICE_TAGS) {
      for (const tag of page.slice(from, from + SLICE_TAGS)) contest.enter(tag);
      await turns.next();
    }
  }
  return contest.winner(context.repository);
}

class Contest {
  readonly #rule: ListRule;
  readonly #census: Census;
  #best: Candidate | undefined;
  #asChart: Candidate | undefined;

  constructor(rule: ListRule) {
    this.#rule = rule;
    this.#census = new Census(rule);
  }

  /**
   * A tag such as `1.2.3_build.5` is a version only where `_` stands for `+`. Unless the spec says that it is about a
   * chart, it counts only where nothing else matches: source-controller would find nothing there.
   */
  enter(tag: string): void {
    this.#census.tags += 1;
    if (!isTag(tag)) return;
    const value = valueOf(tag, this.#rule.filter);
    if (value === undefined) {
      this.#census.filteredOut(tag);
      return;
    }
    const underscored = !this.#rule.component && this.#rule.origin === "semver" && value.includes("_");
    const text = underscored ? value.replaceAll("_", "+") : this.#versionOf(value);
    const rank = rankOf(tag, text, this.#rule.policy);
    if (rank === undefined) this.#census.outside(tag, text);
    else if (underscored && !this.#rule.chart) this.#asChart = later({ tag, rank }, this.#asChart, this.#rule);
    else this.#best = later({ tag, rank }, this.#best, this.#rule);
  }

  /** An order of text or numbers is that of the tags themselves. */
  #versionOf(value: string): string {
    const { component, policy } = this.#rule;
    return component && policy.kind === "semver" ? value.replace(".build-", "+") : value;
  }

  winner(repository: string): string {
    const chosen = this.#best ?? this.#asChart;
    if (chosen === undefined) throw this.#census.noMatch(repository);
    return chosen.tag;
  }
}

function later(candidate: Candidate, best: Candidate | undefined, rule: ListRule): Candidate {
  if (best === undefined) return candidate;
  const order = compareRanks(candidate.rank, best.rank);
  if (order !== 0) return order > 0 ? candidate : best;
  return candidate.tag < best.tag === (rule.origin === "semver") ? candidate : best;
}
