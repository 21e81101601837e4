import type { TagLister } from "../oci/content.ts";
import { isTag } from "../oci/reference.ts";
import type { Digest } from "../oci/types.ts";
import { Census } from "./census.ts";
import { type Candidate, compareCandidates, judgeTag } from "./judge.ts";
import type { ListRule, TagRule } from "./rule.ts";
import { forEachTag } from "./slices.ts";

/** What to resolve: the digest where there is one, else the tag. */
export interface ChosenReference {
  readonly tag?: string;
  readonly digest?: Digest;
}

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
 * It does not depend on the order of the list, see `compareCandidates`.
 *
 * @throws NoTagMatch with what there was and what to write; RegistryUnreachable, … from the listing
 */
export async function chooseTag(
  pages: AsyncIterable<readonly string[]>,
  rule: ListRule,
  context: { readonly repository: string; readonly signal: AbortSignal },
): Promise<string> {
  const contest = new Contest(rule);
  await forEachTag(pages, (tag) => contest.enter(tag), context.signal);
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

  enter(tag: string): void {
    this.#census.tags += 1;
    if (!isTag(tag)) return;
    const judged = judgeTag(tag, this.#rule);
    if (judged.kind === "filtered") this.#census.filteredOut(tag);
    else if (judged.kind === "outside") this.#census.outside(tag, judged.value);
    else if (judged.asChart) this.#asChart = later(judged.candidate, this.#asChart, this.#rule);
    else this.#best = later(judged.candidate, this.#best, this.#rule);
  }

  winner(repository: string): string {
    const chosen = this.#best ?? this.#asChart;
    if (chosen === undefined) throw this.#census.noMatch(repository);
    return chosen.tag;
  }
}

function later(candidate: Candidate, best: Candidate | undefined, rule: ListRule): Candidate {
  return best === undefined || compareCandidates(candidate, best, rule) > 0 ? candidate : best;
}
