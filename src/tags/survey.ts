import { CodedError } from "../errors.ts";
import type { TagLister } from "../oci/content.ts";
import { isTag } from "../oci/reference.ts";
import { Census } from "./census.ts";
import { type Candidate, compareCandidates, judgeTag } from "./judge.ts";
import { inRange, withPrereleases } from "./range.ts";
import type { ListRule, TagRule } from "./rule.ts";
import { compareVersions, parseTagVersion, parseVersion, type Version } from "./semver.ts";
import { forEachTag } from "./slices.ts";

/** Why a tag is taken, or is not; `other`: the reference names another tag, or a digest. */
export type Verdict =
  | "taken"
  | "earlier"
  | "charts-last"
  | "unordered"
  | "prerelease"
  | "outside"
  | "unversioned"
  | "filtered"
  | "other"
  | "invalid";

/** One tag, and what the rule says of it. */
export interface SurveyedTag {
  readonly tag: string;
  readonly verdict: Verdict;
}

export interface Survey {
  /** How many tags the repository has. */
  readonly total: number;
  /** What is taken; undefined for a digest alone, for a tag that is not there, and where `refusal` says why nothing is. */
  readonly taken: string | undefined;
  /** First the one that is taken, then those that come next to it; at most `limit`. */
  readonly rows: readonly SurveyedTag[];
  readonly refusal: CodedError | undefined;
}

interface Entry {
  readonly tag: string;
  readonly verdict: Verdict;
  readonly candidate?: Candidate;
  readonly version?: Version | undefined;
}

/** In this order they are listed. */
const order: readonly Verdict[] = [
  "taken",
  "earlier",
  "charts-last",
  "unordered",
  "prerelease",
  "outside",
  "other",
  "unversioned",
  "filtered",
  "invalid",
];

/**
 * What a rule makes of every tag of a repository. However many there are, `limit` of them are kept.
 * @throws what the listing throws
 */
export async function surveyTags(
  repository: TagLister & { readonly name: string },
  rule: TagRule,
  { limit, signal }: { readonly limit: number; readonly signal: AbortSignal },
): Promise<Survey> {
  const survey = new Surveyor(rule, limit);
  await forEachTag(repository.tags(signal), (tag) => survey.enter(tag), signal);
  return survey.result(repository.name);
}

class Surveyor {
  readonly #rule: TagRule;
  readonly #limit: number;
  readonly #census: Census | undefined;
  readonly #compare: (a: Entry, b: Entry) => number;
  #entries: Entry[] = [];
  #total = 0;
  /** The first value that the policy cannot order: then nothing is taken. */
  #unordered: CodedError | undefined;

  constructor(rule: TagRule, limit: number) {
    this.#rule = rule;
    this.#limit = limit;
    this.#census = rule.kind === "list" ? new Census(rule) : undefined;
    this.#compare = (a, b) => compareEntries(a, b, rule);
  }

  enter(tag: string): void {
    this.#total += 1;
    if (this.#census !== undefined) this.#census.tags += 1;
    this.#entries.push(this.#judged(tag));
    // Sorted only now and then: a sort for each tag would cost the list's length every time.
    if (this.#entries.length >= 2 * this.#limit + 64) this.#cut();
  }

  result(repository: string): Survey {
    this.#cut();
    const [first, ...others] = this.#entries;
    const rows = this.#entries.map(({ tag, verdict }) => ({ tag, verdict }));
    const base = { total: this.#total, rows, refusal: undefined };
    if (this.#rule.kind === "fixed") return { ...base, taken: first?.verdict === "taken" ? first.tag : undefined };
    const isTaken = first?.candidate !== undefined && this.#unordered === undefined;
    if (!isTaken) return { ...base, taken: undefined, refusal: this.#unordered ?? this.#census!.noMatch(repository) };
    const taken = { tag: first.tag, verdict: "taken" as const };
    return { ...base, taken: first.tag, rows: [taken, ...others.map(({ tag, verdict }) => ({ tag, verdict }))] };
  }

  #judged(tag: string): Entry {
    if (!isTag(tag)) return { tag, verdict: "invalid" };
    if (this.#rule.kind === "fixed")
      return { tag, verdict: this.#rule.tag === tag ? "taken" : "other", version: parseVersion(tag) };
    try {
      return this.#ranked(tag, this.#rule);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#unordered ??= error;
      return { tag, verdict: "unordered" };
    }
  }

  #ranked(tag: string, rule: ListRule): Entry {
    const judged = judgeTag(tag, rule);
    if (judged.kind === "candidate")
      return { tag, verdict: judged.asChart ? "charts-last" : "earlier", candidate: judged.candidate };
    if (judged.kind === "filtered") {
      this.#census?.filteredOut(tag);
      return { tag, verdict: "filtered", version: parseVersion(tag) };
    }
    this.#census?.outside(tag, judged.value);
    const version = parseTagVersion(judged.value);
    if (version === undefined) return { tag, verdict: "unversioned" };
    return { tag, verdict: isShutOut(version, rule) ? "prerelease" : "outside", version };
  }

  #cut(): void {
    this.#entries.sort(this.#compare);
    this.#entries = this.#entries.slice(0, this.#limit);
  }
}

/** Whether it is outside only because the range does not open itself to pre-releases. */
function isShutOut(version: Version, { policy }: ListRule): boolean {
  if (policy.kind !== "semver" || version.prerelease === "") return false;
  const opened = withPrereleases(policy.range);
  return opened !== undefined && inRange(version, opened);
}

function compareEntries(a: Entry, b: Entry, rule: TagRule): number {
  const byVerdict = order.indexOf(a.verdict) - order.indexOf(b.verdict);
  if (byVerdict !== 0) return byVerdict;
  if (rule.kind === "list" && a.candidate && b.candidate) return compareCandidates(b.candidate, a.candidate, rule);
  return byVersion(a, b) || byText(b.tag, a.tag);
}

/** The later ones first, and those that are not versions last. */
function byVersion(a: Entry, b: Entry): number {
  if (a.version && b.version) return compareVersions(b.version, a.version);
  return Number(b.version !== undefined) - Number(a.version !== undefined);
}

function byText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
