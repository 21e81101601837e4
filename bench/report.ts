import { cpus, release, totalmem, type } from "node:os";
import type { Limits } from "./limits.ts";
import type { Side } from "./controllers.ts";
import { sides } from "./controllers.ts";
import type { Measurement } from "./measure.ts";
import { spread, type Spread } from "./statistics.ts";

/** The figures of one program in one row. */
export type Figures = { readonly [K in keyof Measurement]: Spread };

export interface Row {
  readonly name: string;
  readonly title: string;
  readonly against: string;
  readonly rounds: number;
  readonly note?: string;
  readonly figures: { readonly [K in Side]?: Figures };
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly system: string;
}

/** Everything that one run has found; written by `--json`. */
export interface Report {
  readonly date: string;
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  /** Of both controllers. */
  readonly flags: readonly string[];
  readonly limits: Limits;
  readonly rows: readonly Row[];
}

export function figuresOf(measurements: readonly Measurement[]): Figures {
  const [first] = measurements;
  if (first === undefined) throw new RangeError("there are no measurements");
  const of = (key: keyof Measurement): Spread => spread(measurements.map((one) => one[key]));
  return Object.fromEntries(Object.keys(first).map((key) => [key, of(key as keyof Measurement)])) as unknown as Figures;
}

export function thisMachine(): Machine {
  const [cpu] = cpus();
  return {
    cpu: cpu?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release().split(".").slice(0, 2).join(".")}`,
  };
}

/** The order of one round: every second one begins with the other program, so that neither always has the warmer machine. */
export function orderOf(round: number): readonly Side[] {
  return round % 2 === 0 ? sides : sides.toReversed();
}
