import { parseArgs } from "node:util";
import { UsageError } from "../command.ts";
import type { Flags } from "./flag.ts";
import { checkChoice, unknownFlag, withoutValue } from "./refused-flags.ts";

/** What every command takes. */
export const commonFlags = {
  color: {
    type: "string",
    choices: ["auto", "always", "never"],
    help: "auto, the default: on a terminal, unless NO_COLOR is set; FORCE_COLOR is always",
    otherNames: ["colour"],
  },
  help: { type: "boolean", short: "h", help: "this text" },
} as const satisfies Flags;

type Config<T extends Flags> = { readonly options: T & typeof commonFlags; readonly allowPositionals: true };
type Result<T extends Flags> = ReturnType<typeof parseArgs<Config<T>>>;
export type FlagValues<T extends Flags> = Result<T>["values"];

/** The arguments of a command. */
export interface Arguments<T extends Flags> {
  readonly values: FlagValues<T>;
  readonly positionals: readonly string[];
}

/**
 * Reads arguments as GNU programs do: `--name value`, `--name=value`, `-n value`, and `--` before what is not a flag.
 * @throws UsageError naming the flag, what was found and what to write
 */
export function parseFlags<const T extends Flags>(flags: T, args: readonly string[]): Arguments<T> {
  const options = { ...flags, ...commonFlags };
  const single = args
    .slice(0, endOf(args))
    .find((arg) => /^-\w[\w-]/.test(arg) && Object.hasOwn(options, arg.slice(1)));
  if (single !== undefined) throw new UsageError(`flags of more than one letter have two dashes; write -${single}`);
  const { tokens, values, positionals } = parseArgs({
    args: switchesOf(options, args),
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  for (const token of tokens) if (token.kind === "option") checkFlag(token, options);
  return { values, positionals };
}

interface FlagToken {
  readonly name: string;
  /** As it was written, with its dashes. */
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

/** @throws UsageError */
function checkFlag({ name, rawName, value, inlineValue = false }: FlagToken, flags: Flags): void {
  const flag = Object.hasOwn(flags, name) ? flags[name] : undefined;
  if (flag === undefined) throw unknownFlag(rawName, flags);
  if (flag.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value; write it alone`);
    return;
  }
  if (value === undefined || isAnotherFlag(value, inlineValue)) throw withoutValue(rawName, flag, value);
  checkChoice(rawName, flag, value);
}

/** @throws UsageError for anything that is not a flag */
export function parseOnlyFlags<const T extends Flags>(flags: T, args: readonly string[]): FlagValues<T> {
  const { values, positionals } = parseFlags(flags, args);
  const [found] = positionals;
  if (found !== undefined) throw new UsageError(`"${found}" stands alone, and only flags are taken`);
  return values;
}

/** `-` stands for a stream, and `-1` is a number. */
function isAnotherFlag(value: string, isInline: boolean): boolean {
  return !isInline && value.length > 1 && value.startsWith("-") && !/^-\d/.test(value);
}

/** Where the flags end: at `--`, or with the last argument. */
function endOf(args: readonly string[]): number {
  const end = args.indexOf("--");
  return end < 0 ? args.length : end;
}

/** `--name=true` is `--name`, and `--name=false` is nothing, as other programs have it. */
function switchesOf(flags: Flags, args: readonly string[]): string[] {
  const end = endOf(args);
  return args.flatMap((arg, at) => {
    const match = at > end ? null : /^--([^=]+)=(true|false)$/.exec(arg);
    const name = match?.[1] ?? "";
    if (match === null || !Object.hasOwn(flags, name) || flags[name]!.type !== "boolean") return [arg];
    return match[2] === "true" ? [`--${name}`] : [];
  });
}

/** What is asked for also where the arguments cannot be read to their end: by the same table, without a check. */
export function askedFor(flags: Flags, args: readonly string[]): Readonly<Record<string, string | true>> {
  const options = { ...flags, ...commonFlags };
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  return Object.fromEntries(
    tokens.flatMap((token) => (token.kind === "option" ? [[token.name, token.value ?? (true as const)]] : [])),
  );
}
