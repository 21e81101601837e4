import type { Check, Outcome } from "../doctor/check.ts";
import { diagnose } from "../doctor/doctor.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import type { Flags } from "./flags/flag.ts";
import { parseFlags } from "./flags/flags.ts";
import { flagsHelp } from "./flags/help.ts";
import { documentFlag, formatOf, printAnswer } from "./output.ts";
import { openConnection, parseSource, sourceFlags } from "./source.ts";
import { paint, type Screen, type Tone } from "./screen.ts";
import { fold } from "../text/fit.ts";
import { plain } from "./terminal.ts";

const flags = {
  ...sourceFlags,
  write: {
    type: "boolean",
    help: "push a tiny blob and manifest under a tag of their own (strata-doctor-…), and remove them where the registry can",
  },
  output: { ...documentFlag, short: "o" },
} as const satisfies Flags;

const help = `
strata doctor asks a registry what it can do, and says what Strata does there and why something fails. One line a check: what was
found, then what Strata does. Without --write nothing is changed. Exit code 0 where a manifest can be read, else 1.

Usage:
  strata doctor oci://HOST/REPOSITORY[:TAG][@DIGEST]

Without a tag it reads latest, else a tag that is listed.

Flags:
${flagsHelp(flags)}

Examples:
  strata doctor oci://ghcr.io/org/app
  strata doctor oci://registry.example/team/app:1.4.0 --write --output json
`;

const summary = "Ask a registry what it can do, and say what fails";

export const doctor: Command = { summary, help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  const [text] = positionals;
  if (text === undefined || positionals.length > 1)
    throw new UsageError("strata doctor takes one reference: oci://HOST/REPOSITORY[:TAG]");
  const target = parseSource(text);
  if (target.kind === "layout")
    throw new UsageError("strata doctor asks a registry; write oci://HOST/REPOSITORY[:TAG]");
  const { registry, access } = await openConnection(
    target.registry,
    { insecure: values.insecure, caFile: values["ca-file"] },
    io,
  );
  try {
    const write = values.write ?? false;
    const { reads, reference, checks } = await diagnose(
      { registry, target, access, version: target, write },
      io.signal,
    );
    const repository = `${target.registry}/${target.repository}`;
    printAnswer(io, format, {
      text: () => checks.map((check) => lineOf(check, io.out)).join(""),
      data: { repository, ...(reference !== undefined && { reference }), reads, checks },
    });
    return reads ? 0 : 1;
  } finally {
    await registry.close();
  }
}

const marks: Readonly<Record<Outcome, string>> = { ok: "ok", limited: "limited", fails: "FAILS", skipped: "skipped" };

const tones: Readonly<Record<Outcome, Tone>> = { ok: "good", limited: "warn", fails: "bad", skipped: "faint" };

function lineOf({ name, outcome, found, strata, error }: Check, screen: Screen): string {
  const why = error === undefined ? "" : ` [${error.code}] ${plain(error.message)}`;
  const mark = marks[outcome];
  const line = fold(
    `${name.padEnd(9)}  ${mark.padEnd(7)}  ${plain(found)}${why} → Strata ${plain(strata)}`,
    screen.columns,
  );
  return `${line.replace(mark, () => paint(screen, tones[outcome], mark))}\n`;
}
