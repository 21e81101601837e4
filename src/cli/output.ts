import type { Writable } from "node:stream";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import { message, visibleJson } from "../text/printable.ts";
import { visibleYaml } from "./visible-yaml.ts";
import { UsageError } from "./command.ts";

/** What `--output` takes; `text` is for people and may change, the others are for programs. */
export type OutputFormat = "text" | "json" | "yaml";

export function parseOutputFormat(value: string | undefined): OutputFormat {
  if (value === undefined || value === "text") return "text";
  if (value === "json" || value === "yaml") return value;
  throw new UsageError(`--output is "${value}"; write json or yaml`);
}

export function printData(out: Writable, format: Exclude<OutputFormat, "text">, value: unknown): void {
  out.write(format === "json" ? `${visibleJson(JSON.stringify(value, null, 2))}\n` : visibleYaml(value));
}

/** Of a failure's message and of each cause: longer than any list of candidates. */
const maxMessageBytes = 16 * 1024;

/** The fixed form of a refusal: `{error: {code, message, candidates?}}`. */
export function errorDocument(error: unknown): { error: Record<string, unknown> } {
  const details = error instanceof CodedError ? error.details : undefined;
  return { error: { ...details, code: codeOf(error), message: message(messageOf(error), maxMessageBytes) } };
}

/** Prints a failure for people, with the causes that add something. */
export function printError(out: Writable, error: unknown): void {
  const code = error instanceof CodedError ? ` [${error.code}]` : "";
  out.write(`error: ${message(messageOf(error), maxMessageBytes)}${code}\n`);
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause instanceof Error && depth < 3; depth++) {
    if (!messageOf(error).includes(cause.message)) out.write(`  because: ${message(cause.message, maxMessageBytes)}\n`);
    cause = cause.cause;
  }
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
