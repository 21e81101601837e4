import { readFileSync } from "node:fs";
import { join } from "node:path";

const docs = join(import.meta.dirname, "../../docs");

/** The commands that a page of docs shows with what they print, and the exit codes of its table as a help lists them. */
export function pageExamples(name: string): {
  readonly examples: readonly (readonly [command: string, output: string])[];
  readonly exitCodes: readonly string[];
} {
  const page = readFileSync(join(docs, name), "utf8");
  const shown = page.matchAll(/```console\n\$ (.*)\n([^]*?)```/g);
  const codes = page.matchAll(/^\| (\d) \| ([^|]*)/gm);
  return {
    examples: [...shown].map(([, command = "", output = ""]) => [command, output] as const),
    exitCodes: [...codes].map(([, code = "", meaning = ""]) => `${code}  ${meaning.trim()}`),
  };
}
