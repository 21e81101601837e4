import { CodedError, messageOf } from "../../errors.ts";
import type { Reference } from "../../oci/reference.ts";
import { parseTagRule, type TagQuery, type TagRule } from "../../tags/rule.ts";
import { UsageError } from "../command.ts";

/** Flags that say which tag is taken, each with the field of the spec that it stands for. */
const fields = {
  semver: "spec.ref.semver",
  "semver-filter": "spec.ref.semverFilter",
  filter: "spec.ref.filterTags.pattern",
  extract: "spec.ref.filterTags.extract",
  order: "spec.ref.policy",
} as const;

export const ruleOptions = {
  semver: { type: "string" },
  "semver-filter": { type: "string" },
  filter: { type: "string" },
  extract: { type: "string" },
  order: { type: "string" },
} as const;

export const ruleHelp = `  --semver RANGE                     the latest version in the range, as ref.semver: '>=1.0.0 <2.0.0', '^2.0.0-0'
  --semver-filter RE                 with --semver: of the tags that the expression (RE2) matches, as ref.semverFilter
  --order ORDER                      the last of numerical, numerical-desc, alphabetical or alphabetical-desc, as ref.policy
  --filter RE                        with --order: of the tags that the expression matches, as ref.filterTags.pattern
  --extract TEMPLATE                 with --filter: ordered by what this makes of its groups, as '$ts'`;

export type RuleFlags = { readonly [K in keyof typeof fields]?: string | undefined };

/** The flags that were given. */
export function givenRuleFlags(flags: RuleFlags): string[] {
  return Object.keys(fields).filter((name) => flags[name as keyof typeof fields] !== undefined);
}

/** The rule by which a tag is taken: by the flags, else what the reference names. @throws UsageError */
export function ruleOf({ tag, digest }: Reference, flags: RuleFlags): TagRule {
  const [given] = givenRuleFlags(flags);
  if (given !== undefined && (tag !== undefined || digest !== undefined))
    throw new UsageError(`the reference names ${tag ?? digest} and --${given} chooses another; keep one of them`);
  checkPairs(flags);
  try {
    return parseTagRule(given === undefined ? namedBy(tag, digest) : queryOf(flags));
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new UsageError(inFlags(messageOf(error)), { cause: error });
  }
}

/** A digest decides, and a tag before it names the revision. */
function namedBy(tag: string | undefined, digest: string | undefined): TagQuery {
  if (tag === undefined) return digest === undefined ? {} : { digest };
  return { tag: digest === undefined ? tag : `${tag}@${digest}` };
}

function checkPairs(flags: RuleFlags): void {
  const needs = [
    ["semver-filter", "semver"],
    ["filter", "order"],
    ["extract", "filter"],
  ] as const;
  for (const [name, other] of needs)
    if (flags[name] !== undefined && flags[other] === undefined)
      throw new UsageError(`--${name} goes with --${other}; write both`);
  if (flags.semver !== undefined && flags.order !== undefined)
    throw new UsageError("--semver and --order each choose a tag; keep one of them");
}

const orders: Readonly<Record<string, TagQuery["policy"]>> = {
  numerical: { numerical: { order: "asc" } },
  "numerical-desc": { numerical: { order: "desc" } },
  alphabetical: { alphabetical: { order: "asc" } },
  "alphabetical-desc": { alphabetical: { order: "desc" } },
};

function queryOf({ semver, "semver-filter": semverFilter, filter, extract, order }: RuleFlags): TagQuery {
  if (semver !== undefined) {
    if (semver === "") throw new UsageError("--semver is empty; write a range such as '>=1.0.0', or '*' for all");
    return { semver, ...(semverFilter !== undefined && { semverFilter }) };
  }
  if (order === undefined) return {};
  if (!Object.hasOwn(orders, order))
    throw new UsageError(`--order is "${order}"; write ${Object.keys(orders).join(", ")}`);
  return {
    policy: orders[order]!,
    ...(filter !== undefined && { filterTags: { pattern: filter, ...(extract !== undefined && { extract }) } }),
  };
}

/** What is said in fields of the spec, in flags: the longer names first, which begin with the shorter ones. */
function inFlags(message: string): string {
  const text = Object.entries(fields)
    .toSorted(([, a], [, b]) => b.length - a.length)
    .reduce((said, [name, field]) => said.replaceAll(field, `--${name}`), message);
  return text.includes("--") ? text : `--semver: ${text}`;
}
