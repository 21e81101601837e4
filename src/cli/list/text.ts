import type { TagRule } from "../../tags/rule.ts";
import type { Survey, Verdict } from "../../tags/survey.ts";
import { formatTable, plain } from "../terminal.ts";
import type { Facts, TagFacts } from "./facts.ts";

/** The table for people; `*` marks the tag that is taken. */
export function listText(survey: Survey, { byTag }: Facts, rule: TagRule): string {
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
  const table = lines.length === 0 ? "" : formatTable([["  TAG", "DIGEST", "CREATED", "SIGNED", "WHY"], ...lines]);
  const more = total > rows.length ? `  and ${total - rows.length} more; --limit shows them\n` : "";
  return `${table}${more}${missing(survey, rule)}`;
}

/** What is said of a tag: a phrase. */
export function reasonOf(verdict: Verdict, { taken, refusal }: Survey, rule: TagRule): string {
  switch (verdict) {
    case "taken":
      return "taken";
    case "earlier":
      return taken === undefined || refusal !== undefined
        ? "in order, but another tag cannot be ordered"
        : `let in, but ${taken} comes first`;
    case "charts-last":
      return "a version with _ for +, which counts only where nothing else does";
    case "unordered":
      return "cannot be ordered, as it is not a number";
    case "prerelease":
      return `a pre-release, which ${rangeOf(rule)} leaves out`;
    case "outside":
      return `outside ${rangeOf(rule)}`;
    case "unversioned":
      return "not a full version";
    case "filtered":
      return "left out by the filter";
    case "other":
      return rule.kind === "fixed" && rule.tag !== undefined
        ? `not ${rule.tag}, which is asked for`
        : "not asked for, as a digest is";
    case "invalid":
      return "not a valid name of a tag";
  }
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
