import type { Writable } from "node:stream";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import { message, visibleJson } from "../text/printable.ts";
import { visibleYaml } from "./visible-yaml.ts";
import { type CommandIO, UsageError } from "./command.ts";
import type { Flag } from "./flags/flag.ts";
import { plain } from "./terminal.ts";
import { paint } from "./screen.ts";
import { fold } from "../text/fit.ts";

/** What `--output` takes; `text` is for people and may change, the others are for programs. */
export type OutputFormat = "text" | "json" | "yaml" | "name";

/** `--output json|yaml` of a command whose `-o` says where to write. */
export const documentFlag = {
  type: "string",
  choices: ["json", "yaml"],
  alsoTakes: ["text"],
  help: "print the result for a program",
  otherNames: ["format"],
} as const satisfies Flag;

/** `-o json|yaml|name` of every other command. */
export const outputFlag = {
  type: "string",
  short: "o",
  choices: ["json", "yaml", "name"],
  alsoTakes: ["text"],
  help: "print the result for a program; name: only what it is called, a line each",
  otherNames: ["format"],
} as const satisfies Flag;

/** Of a command whose `-o` says where to write. @throws UsageError for a form, which `-o` names elsewhere */
export function notAForm(place: string | undefined, instead: string): void {
  if (place !== undefined && ["json", "yaml", "name"].includes(place))
    throw new UsageError(
      `-o is where to write, and "${place}" is not a name for a file: ${instead}, or -o ./${place} if you mean it`,
    );
}

/** The value of such a flag, which its `choices` have checked. */
export function formatOf(value: string | undefined): OutputFormat {
  return (value ?? "text") as OutputFormat;
}

/** What a command has to say, in every form. */
export interface Answer {
  /** For people. */
  readonly text: () => string;
  /** For programs, as JSON or YAML. */
  readonly data: unknown;
  /** What it is called, for the next command. */
  readonly names?: readonly string[];
}

export function printAnswer({ stdout }: Pick<CommandIO, "stdout">, format: OutputFormat, answer: Answer): void {
  if (format === "json" || format === "yaml") printData(stdout, format, answer.data);
  else
    stdout.write(format === "name" ? (answer.names ?? []).map((name) => `${plain(name)}\n`).join("") : answer.text());
}

export function printData(out: Writable, format: OutputFormat, value: unknown): void {
  out.write(format === "json" ? `${visibleJson(JSON.stringify(value, null, 2))}\n` : visibleYaml(value));
}

/** The most that is shown of a failure's message and of each cause: longer than any list of candidates. */
const maxMessageBytes = 16 * 1024;

/** The fixed form of a refusal: `{error: {code, message, candidates?}}`. */
export function errorDocument(error: unknown): { error: Record<string, unknown> } {
  const details = error instanceof CodedError ? error.details : undefined;
  return { error: { ...details, code: codeOf(error), message: message(messageOf(error), maxMessageBytes) } };
}

/**
 * Prints a failure for people: what happened with its code, the causes that add something, and last what to do, so that it can
 * be copied alone.
 */
export function printError({ stderr, err }: Pick<CommandIO, "stderr" | "err">, error: unknown): void {
  const [head = "", ...rest] = message(messageOf(error), maxMessageBytes).split("\n");
  const code = error instanceof CodedError ? ` [${error.code}]` : "";
  const [, text = "", colon = ""] = /^(.*?)(:?)$/s.exec(head) ?? [];
  const lines = [
    `${paint(err, "bad", "error:")} ${fold(`${text}${code}${colon}`, err.columns)}`,
    ...causesOf(error).map((cause) => fold(`  because: ${cause}`, err.columns)),
    // Lines of lists and of YAML are to be copied as they are.
    ...rest.map((line) => (/^\s|^[\w-]+:/.test(line) ? line : fold(line, err.columns))),
  ];
  stderr.write(`${lines.join("\n")}\n`);
}

function causesOf(error: unknown): string[] {
  const causes: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause instanceof Error && depth < 3; depth++) {
    if (!messageOf(error).includes(cause.message)) causes.push(message(cause.message, maxMessageBytes));
    cause = cause.cause;
  }
  return causes;
}

/** `1.5 MB`, decimal units as Flux and registries print them. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
