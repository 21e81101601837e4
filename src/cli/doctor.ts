import { parseArgs } from "node:util";
import type { Check, Outcome } from "../doctor/check.ts";
import { diagnose } from "../doctor/doctor.ts";
import { parseReference } from "../oci/reference.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import { parseOutputFormat, printData } from "./output.ts";
import { openConnection, sourceHelp, sourceOptions } from "./source.ts";
import { plain } from "./terminal.ts";

const help = `
strata doctor asks a registry what it can do, and says what Strata does there and why something fails. One line a check: what was
found, then what Strata does. Without --write nothing is changed. Exit code 0 where a manifest can be read, else 1.

Usage:
  strata doctor oci://HOST/REPOSITORY[:TAG][@DIGEST]

Without a tag it reads latest, else a tag that is listed.

Flags:
${sourceHelp}
  --write                            push a tiny blob and manifest under a tag of their own (strata-doctor-…), and remove
                                     them where the registry can
  --output json|yaml                 print the same for a program

Examples:
  strata doctor oci://ghcr.io/org/app
  strata doctor oci://registry.example/team/app:1.4.0 --write --output json
`;

const options = { ...sourceOptions, write: { type: "boolean" }, output: { type: "string" } } as const;
const summary = "Ask a registry what it can do, and say what fails";

export const doctor: Command = { summary, help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const format = parseOutputFormat(values.output);
  const [text] = positionals;
  if (text === undefined || positionals.length > 1)
    throw new UsageError("strata doctor takes one reference: oci://HOST/REPOSITORY[:TAG]");
  const target = parseReference(text);
  if (target.kind === "layout")
    throw new UsageError("strata doctor asks a registry; write oci://HOST/REPOSITORY[:TAG]");
  const { registry, access } = await openConnection({ insecure: values.insecure, caFile: values["ca-file"] }, io);
  try {
    const version = target.digest ?? target.tag;
    const write = values.write ?? false;
    const { reads, reference, checks } = await diagnose({ registry, target, access, version, write }, io.signal);
    const repository = `${target.registry}/${target.repository}`;
    if (format === "text") io.stdout.write(checks.map(lineOf).join(""));
    else printData(io.stdout, format, { repository, ...(reference !== undefined && { reference }), reads, checks });
    return reads ? 0 : 1;
  } finally {
    await registry.close();
  }
}

const marks: Readonly<Record<Outcome, string>> = { ok: "ok", limited: "limited", fails: "FAILS", skipped: "skipped" };

function lineOf({ name, outcome, found, strata, error }: Check): string {
  const why = error === undefined ? "" : ` [${error.code}] ${plain(error.message)}`;
  return `${name.padEnd(9)}  ${marks[outcome].padEnd(7)}  ${plain(found)}${why} → Strata ${plain(strata)}\n`;
}
