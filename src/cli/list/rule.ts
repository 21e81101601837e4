import { CodedError, messageOf } from "../../errors.ts";
import { namesVersion, type Reference } from "../../oci/reference.ts";
import { namedRule, parseTagRule, type TagQuery, type TagRule } from "../../tags/rule.ts";
import { UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";

/** Flags that say which tag is taken, each with the field of the spec that it stands for. */
const fields = {
  semver: "spec.ref.semver",
  "semver-filter": "spec.ref.semverFilter",
  filter: "spec.ref.filterTags.pattern",
  extract: "spec.ref.filterTags.extract",
  order: "spec.ref.policy",
} as const;

const orders = {
  numerical: { numerical: { order: "asc" } },
  "numerical-desc": { numerical: { order: "desc" } },
  alphabetical: { alphabetical: { order: "asc" } },
  "alphabetical-desc": { alphabetical: { order: "desc" } },
} as const satisfies Readonly<Record<string, TagQuery["policy"]>>;

export const ruleFlags = {
  semver: {
    type: "string",
    takes: "RANGE",
    help: "the latest version in the range, as ref.semver: '>=1.0.0 <2.0.0', '^2.0.0-0'",
    otherNames: ["range", "constraint", "version"],
  },
  "semver-filter": {
    type: "string",
    takes: "RE",
    help: "with --semver: of the tags that the expression (RE2) matches, as ref.semverFilter",
  },
  order: {
    type: "string",
    choices: Object.keys(orders),
    takes: "ORDER",
    help: `the last one in this order, as ref.policy: ${Object.keys(orders).join(", ")}`,
    otherNames: ["policy", "sort"],
  },
  filter: {
    type: "string",
    takes: "RE",
    help: "with --order: of the tags that the expression (RE2) matches, as ref.filterTags.pattern",
    otherNames: ["filter-tags", "pattern"],
  },
  extract: {
    type: "string",
    takes: "TEMPLATE",
    help: "with --filter: ordered by what this makes of its groups, as '$ts'",
  },
} as const satisfies Flags;

export type RuleFlags = { readonly [K in keyof typeof fields]?: string | undefined };

/** The flags that were given. */
export function givenRuleFlags(flags: RuleFlags): string[] {
  return Object.keys(fields).filter((name) => flags[name as keyof typeof fields] !== undefined);
}

/** The rule by which a tag is taken: by the flags, else what the reference names. @throws UsageError */
export function ruleOf(reference: Reference, flags: RuleFlags): TagRule {
  const [given] = givenRuleFlags(flags);
  if (given !== undefined && namesVersion(reference))
    throw new UsageError(
      `the reference names ${reference.tag ?? reference.digest} and --${given} chooses another; keep one of them`,
    );
  checkPairs(flags);
  try {
    return given === undefined ? namedRule(reference) : parseTagRule(queryOf(flags));
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const text = inFlags(messageOf(error));
    const said = text.includes("--") ? text : `--semver: ${text}`;
    throw new UsageError(said, new CodedError(error.code, said, { cause: error.cause }));
  }
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

function queryOf({ semver, "semver-filter": semverFilter, filter, extract, order }: RuleFlags): TagQuery {
  if (semver !== undefined) {
    if (semver === "") throw new UsageError("--semver is empty; write a range such as '>=1.0.0', or '*' for all");
    return { semver, ...(semverFilter !== undefined && { semverFilter }) };
  }
  if (order === undefined) return {};
  return {
    policy: orders[order as keyof typeof orders],
    ...(filter !== undefined && { filterTags: { pattern: filter, ...(extract !== undefined && { extract }) } }),
  };
}

/** What is written in YAML, as it is written in a shell. */
const phrases: readonly (readonly [RegExp, string])[] = [
  [/ref: \{semver: "([^"]*)"\}/g, "--semver '$1'"],
  [/ref: \{policy: \{alphabetical: \{order: asc\}\}\}/g, "--order alphabetical"],
  [/Write ref: \{tag: (?:"([^"]*)"|…)\}/g, "Name the tag $1 in the reference"],
  [/spec\.ref\.filterTags, for example (?=\{)/g, ""],
  [/\{pattern: ('[^']*'), extract: ('[^']*')\}/g, "--filter $1 --extract $2"],
  [/\{pattern: ('[^']*')\}/g, "--filter $1"],
  [/spec\.ref\.policy\.(numerical|alphabetical)/g, "--order $1"],
  [/spec\.url/g, "the reference"],
];

/** What is said in fields of the spec, in flags: the longer names first, which begin with the shorter ones. */
function inFlags(message: string): string {
  const said = phrases.reduce((text, [yaml, flags]) => text.replace(yaml, flags), message).replaceAll("  ", " ");
  return Object.entries(fields)
    .toSorted(([, a], [, b]) => b.length - a.length)
    .reduce((text, [name, field]) => text.replaceAll(field, `--${name}`), said);
}

/** Why a rule that was given in flags takes no tag. */
export function refusalInFlags(error: CodedError): CodedError {
  const { code, cause, details } = error;
  return new CodedError(code, inFlags(messageOf(error)), { cause, ...(details && { details }) });
}
