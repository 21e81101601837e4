import { CodedError } from "./errors.ts";

/** What a flag takes; the default stands beside it. Written as pflag does: `--name=value`, `--name value`, `--bool`. */
export interface FlagSpec {
  readonly type: "string" | "boolean" | "integer" | "duration";
  readonly default: string | boolean | number;
  readonly description: string;
  /** Environment variable that replaces the default. */
  readonly env?: string;
}

type Value<S extends FlagSpec> = S["type"] extends "boolean" ? boolean : S["type"] extends "string" ? string : number;
export type FlagValues<T extends Record<string, FlagSpec>> = { readonly [K in keyof T]: Value<T[K]> };

/**
 * Parses pflag-style arguments; durations (Go syntax, such as `1m30s`) become milliseconds.
 * @throws InvalidSpec naming the flag, what was found and what it takes
 */
export function parseFlags<T extends Record<string, FlagSpec>>(
  table: T,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FlagValues<T> {
  const values: Record<string, string | boolean | number> = {};
  for (const [name, spec] of Object.entries(table)) {
    const fromEnv = spec.env === undefined ? undefined : env[spec.env];
    values[name] = fromEnv === undefined || fromEnv === "" ? defaultOf(name, spec) : convert(name, spec, fromEnv);
  }
  for (const [name, text] of tokens(table, argv)) values[name] = convert(name, table[name]!, text);
  return values as FlagValues<T>;
}

function* tokens(table: Record<string, FlagSpec>, argv: readonly string[]): Generator<[string, string]> {
  for (let i = 0; i < argv.length; i++) {
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(argv[i]!);
    const name = match?.[1];
    if (match === null || name === undefined)
      throw new CodedError("InvalidSpec", `"${argv[i]}" is not a flag; flags look like --name=value`);
    const spec = Object.hasOwn(table, name) ? table[name] : undefined;
    if (spec === undefined)
      throw new CodedError("InvalidSpec", `unknown flag --${name}${suggestion(name, Object.keys(table))}`);
    if (match[2] !== undefined) yield [name, match[2]];
    else if (spec.type === "boolean") yield [name, "true"];
    else if (i + 1 < argv.length) yield [name, argv[++i]!];
    else throw new CodedError("InvalidSpec", `--${name} needs a value (${spec.description})`);
  }
}

function suggestion(name: string, known: readonly string[]): string {
  const near = known.find(
    (candidate) => candidate.includes(name) || name.includes(candidate) || candidate.slice(0, 6) === name.slice(0, 6),
  );
  return near === undefined ? "; --help lists them" : `; did you mean --${near}?`;
}

function defaultOf(name: string, spec: FlagSpec): string | boolean | number {
  return spec.type === "duration" ? convert(name, spec, String(spec.default)) : spec.default;
}

function convert(name: string, spec: FlagSpec, text: string): string | boolean | number {
  const bad = (takes: string): CodedError => new CodedError("InvalidSpec", `--${name} is "${text}"; it takes ${takes}`);
  switch (spec.type) {
    case "string":
      return text;
    case "boolean":
      if (text === "true" || text === "false") return text === "true";
      throw bad("true or false");
    case "integer":
      if (/^\d{1,9}$/.test(text)) return Number(text);
      throw bad("a whole number");
    case "duration": {
      const ms = parseGoDuration(text);
      if (ms === undefined) throw bad("a duration such as 30s, 10m or 1h30m");
      return ms;
    }
  }
}

const unitMs = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Go's time.ParseDuration for non-negative durations, in milliseconds; undefined where it does not parse. */
export function parseGoDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(part[1]) * unitMs[part[2] as keyof typeof unitMs];
  }
  return total;
}

/** The `--help` text of a flag table. */
export function describeFlags(table: Record<string, FlagSpec>): string {
  return Object.entries(table)
    .map(
      ([name, spec]) =>
        `  --${name} (${spec.type}, default ${JSON.stringify(spec.default)}${spec.env === undefined ? "" : `, env ${spec.env}`})\n      ${spec.description}`,
    )
    .join("\n");
}
