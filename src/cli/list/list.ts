import { cliDefaults } from "../../config.ts";
import type { Repository } from "../../oci/content.ts";
import { formatReference } from "../../oci/reference.ts";
import type { TagRule } from "../../tags/rule.ts";
import { surveyTags, type Survey } from "../../tags/survey.ts";
import { sourceFromManifest } from "../build/source.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp, rowsHelp } from "../flags/help.ts";
import { errorDocument, formatOf, type OutputFormat, outputFlag, printData, printError } from "../output.ts";
import { openSource, parseSource, sourceFlags } from "../source.ts";
import { plain } from "../terminal.ts";
import { type Facts, factsOf } from "./facts.ts";
import { givenRuleFlags, ruleFlags, ruleOf, refusalInFlags } from "./rule.ts";
import { listText, reasonOf } from "./text.ts";

const otherFlags = {
  file: {
    type: "string",
    short: "f",
    takes: "FILE",
    help: "the rule and the repository of the one ArtifactRepository in FILE; - is standard input",
    otherNames: ["filename"],
  },
  limit: {
    type: "string",
    takes: "N",
    default: cliDefaults.tags,
    help: `show so many tags, the one that is taken first; ${cliDefaults.tags} unless it is given, at most 1000`,
    otherNames: ["max", "count"],
  },
  ...sourceFlags,
  output: {
    ...outputFlag,
    help: "print the result for a program; name: the tags alone that the rule lets in, the one that is taken first",
  },
} as const satisfies Flags;

const help = `
strata list shows the tags of a repository: which one a reference takes, and why not the others.
Dates, digests and signatures are asked for of the tags that are shown alone.

Usage:
  strata list oci://HOST/REPOSITORY[:TAG][@DIGEST] [RULE]
  strata list oci-layout://PATH [RULE]
  strata list -f MANIFEST.yaml

By which rule a tag is taken; without one, it is the tag of the reference, or latest:
${rowsHelp(ruleFlags)}

Other flags:
${flagsHelp(otherFlags)}

Dates are what the publisher states, and nobody has checked the signatures: strata verify does.

Exit codes:
  0  the tags were listed
  1  the rule takes none of them, or they could not be listed
  2  the command line is wrong

Examples:
  strata list oci://ghcr.io/org/product --semver '>=1.0.0 <2.0.0'
  strata list oci://ghcr.io/org/app --order numerical --filter '^main-(?P<ts>[0-9]+)$' --extract '$ts' -o name
`;

const flags = { ...ruleFlags, ...otherFlags } as const;

type Values = FlagValues<typeof flags>;

export const list: Command = {
  summary: "List tags: which one is taken, and why not the others",
  help,
  options: flags,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  checkUsage(values, positionals);
  const limit = limitOf(values.limit);
  const opened = await open(values, positionals, io);
  try {
    const found = await surveyTags(opened.repository, opened.rule, { limit, signal: io.signal });
    const survey = values.file === undefined ? toldInFlags(found) : found;
    if (format === "name") return printNames(survey, opened.rule, io);
    const tags = survey.rows.filter(({ verdict }) => verdict !== "invalid").map(({ tag }) => tag);
    const listing = { ...opened, survey, facts: await factsOf(opened.repository, tags, io.signal) };
    return print(listing, format, io);
  } finally {
    await opened.close();
  }
}

function toldInFlags({ refusal, ...survey }: Survey): Survey {
  return { ...survey, refusal: refusal && refusalInFlags(refusal) };
}

function checkUsage(values: Values, positionals: readonly string[]): void {
  if (values.file === undefined) {
    if (positionals.length !== 1) throw new UsageError("strata list takes one repository, or -f FILE");
    return;
  }
  if (positionals.length > 0) throw new UsageError("strata list takes a repository or -f FILE, not both");
  const given = [
    ...givenRuleFlags(values),
    ...Object.keys(sourceFlags).filter((name) => values[name as keyof typeof sourceFlags] !== undefined),
  ];
  if (given.length > 0) throw new UsageError(`with -f everything stands in the file; remove --${given[0]}`);
}

const maxLimit = 1000;

function limitOf(text: string): number {
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > maxLimit)
    throw new UsageError(`--limit is "${text}"; write a whole number from 1 to ${maxLimit}`);
  return limit;
}

interface Opened {
  /** What was asked about. */
  readonly reference: string;
  readonly repository: Repository;
  readonly rule: TagRule;
  readonly close: () => Promise<void>;
}

async function open(values: Values, [text = ""]: readonly string[], io: CommandIO): Promise<Opened> {
  if (values.file !== undefined) {
    const source = await sourceFromManifest(values.file, io);
    return { ...source, reference: source.object.spec.url };
  }
  const rule = ruleOf(parseSource(text), values);
  const source = await openSource(text, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  return { ...source, rule, reference: formatReference(source.reference) };
}

/** Exit code 1 where the rule takes nothing: a script then has nothing to go on with. */
function printNames({ rows, refusal }: Survey, rule: TagRule, io: CommandIO): number {
  const isIn = new Set(rule.kind === "fixed" ? ["taken", "other"] : ["taken", "earlier", "charts-last"]);
  if (refusal === undefined)
    io.stdout.write(
      rows
        .filter(({ verdict }) => isIn.has(verdict))
        .map(({ tag }) => `${tag}\n`)
        .join(""),
    );
  else printError(io, refusal);
  return refusal === undefined ? 0 : 1;
}

interface Listing extends Opened {
  readonly survey: Survey;
  readonly facts: Facts;
}

function print({ reference, survey, facts, rule }: Listing, format: OutputFormat, io: CommandIO): number {
  const { refusal, taken, total, rows } = survey;
  if (format === "text") {
    io.stdout.write(listText(survey, facts, { rule, screen: io.out }));
    io.stderr.write(facts.problems.map((problem) => `${plain(problem)}\n`).join(""));
    if (refusal !== undefined) printError(io, refusal);
  } else
    printData(io.stdout, format, {
      reference,
      total,
      taken: taken ?? null,
      tags: rows.map(({ tag, verdict }) =>
        Object.assign({ tag, verdict, reason: reasonOf(verdict, survey, rule) }, facts.byTag.get(tag)),
      ),
      problems: facts.problems,
      ...(refusal !== undefined && errorDocument(refusal)),
    });
  return refusal === undefined ? 0 : 1;
}
