import type { TagRule } from "../../tags/rule.ts";
import type { Survey, Verdict } from "../../tags/survey.ts";
import type { Screen } from "../screen.ts";
import { formatTable, plain } from "../terminal.ts";
import type { Facts, TagFacts } from "./facts.ts";

/** The table for people; `*` marks the tag that is taken. */
export function listText(
  survey: Survey,
  { byTag }: Facts,
  { rule, screen }: { readonly rule: TagRule; readonly screen: Screen },
): string {
  const { rows, total } = survey;
  const lines = rows.map(({ tag, verdict }) => {
    const facts = byTag.get(tag) ?? {};
    const { digest, created, problem } = facts;
    return [
      `${verdict === "taken" ? "*" : " "} ${tag}`,
      digest?.slice(0, 19) ?? "-",
      created?.slice(0, 10) ?? "-",
      signed(facts),
      `${reasonOf(verdict, survey, rule)}${problem === undefined ? "" : `; ${problem.message} [${problem.code}]`}`,
    ];
  });
  const table =
    lines.length === 0 ? "" : formatTable([["  TAG", "DIGEST", "CREATED", "SIGNED", "WHY"], ...lines], screen);
  const more = total > rows.length ? `  and ${total - rows.length} more; --limit shows them\n` : "";
  return `${table}${more}${missing(survey, rule)}`;
}

type Phrase = string | ((survey: Survey, rule: TagRule) => string);

const phrases: Readonly<Record<Verdict, Phrase>> = {
  taken: "taken",
  earlier: ({ taken }) =>
    taken === undefined ? "let in, but another one cannot be ordered" : `let in, but ${taken} comes first`,
  "charts-last": "a version with _ for +, which counts only where nothing else does",
  unordered: "cannot be ordered, as it is not a number",
  prerelease: (_, rule) => `a pre-release, which ${rangeOf(rule)} leaves out`,
  outside: (_, rule) => `outside ${rangeOf(rule)}`,
  unversioned: "not a full version",
  filtered: "left out by the filter",
  other: (_, rule) =>
    rule.kind === "fixed" && rule.tag !== undefined
      ? `not ${rule.tag}, which is asked for`
      : "not asked for, as a digest is",
  invalid: "not a valid name of a tag",
};

/** What is said of a tag: a phrase. */
export function reasonOf(verdict: Verdict, survey: Survey, rule: TagRule): string {
  const phrase = phrases[verdict];
  return typeof phrase === "string" ? phrase : phrase(survey, rule);
}

function rangeOf(rule: TagRule): string {
  return rule.kind === "list" && rule.policy.kind === "semver" ? `the range ${rule.policy.range.text}` : "the range";
}

function signed({ signatures }: TagFacts): string {
  if (signatures === undefined) return "unknown";
  return signatures.length === 0 ? "no" : signatures.join(", ");
}

function missing({ taken, total }: Survey, rule: TagRule): string {
  if (rule.kind === "list" || taken !== undefined) return total === 0 ? "There are no tags.\n" : "";
  if (rule.tag === undefined) return plain(`Taken is ${rule.digest ?? "nothing"}, whatever tags there are.`) + "\n";
  return `The tag ${rule.tag}, which is asked for, is not there.\n`;
}
