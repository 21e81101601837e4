import { parseArgs } from "node:util";

export const help = `
npm run bench measures strata-controller beside source-controller, on this machine, in one run.
It needs the bundles (npm run build) and the servers of the end-to-end tests (KUBEBUILDER_ASSETS, or Go).

  --only NAME,…       these rows only; --list names them
  --rounds N          how often each row is measured with each program; the table shows medians (default 3)
  --quick             one round, without the rows that take minutes
  --concurrent N      --concurrent of both controllers (default 10)
  --kube-api-qps N    --kube-api-qps and, sixfold, --kube-api-burst of both (default: their own, 50 and 300)
  --shrink N          rows of many objects with an N-th of them, to try the benchmark itself
  --json FILE         write every figure
  --write             write docs/performance.md, its chart, and the model in docs/scaling.md
  --profile           profile Strata's controller instead, and print the functions that took longest
  --list              print the names of the rows
`;

export interface BenchOptions {
  readonly only: readonly string[] | undefined;
  readonly rounds: number;
  readonly quick: boolean;
  readonly concurrent: number;
  readonly kubeApiQps: number | undefined;
  readonly shrink: number;
  readonly json: string | undefined;
  readonly write: boolean;
  readonly profile: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

/** Throws an Error that says what to write instead. */
export function parseOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: "string" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      concurrent: { type: "string", default: "10" },
      "kube-api-qps": { type: "string" },
      shrink: { type: "string", default: "1" },
      json: { type: "string" },
      write: { type: "boolean", default: false },
      profile: { type: "boolean", default: false },
      list: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const shrink = positive("shrink", values.shrink);
  if (values.write && shrink > 1) throw new Error("--write wants the whole rows: leave out --shrink");
  return {
    shrink,
    only: values.only?.split(",").filter((name) => name !== ""),
    rounds: positive("rounds", values.rounds ?? (values.quick ? "1" : "3")),
    quick: values.quick,
    concurrent: positive("concurrent", values.concurrent),
    kubeApiQps: values["kube-api-qps"] === undefined ? undefined : positive("kube-api-qps", values["kube-api-qps"]),
    json: values.json,
    write: values.write,
    profile: values.profile,
    list: values.list,
    help: values.help,
  };
}

/** The flags that both controllers are started with. */
export function controllerFlagsOf(options: Pick<BenchOptions, "concurrent" | "kubeApiQps">): readonly string[] {
  const { concurrent, kubeApiQps } = options;
  return [
    `--concurrent=${concurrent}`,
    ...(kubeApiQps === undefined ? [] : [`--kube-api-qps=${kubeApiQps}`, `--kube-api-burst=${6 * kubeApiQps}`]),
  ];
}

/** The named rows, in the table's order; without names all of them, or those that are not slow. */
export function chooseCases<C extends { readonly name: string; readonly slow?: boolean }>(
  cases: readonly C[],
  { only, quick }: Pick<BenchOptions, "only" | "quick">,
): readonly C[] {
  if (only === undefined) return cases.filter(({ slow }) => !(quick && slow));
  const unknown = only.filter((name) => !cases.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new Error(`there is no row ${unknown.join(", ")}; there are ${cases.map(({ name }) => name).join(", ")}`);
  return cases.filter(({ name }) => only.includes(name));
}

function positive(flag: string, text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new Error(`--${flag} is "${text}"; write a whole number above 0`);
  return Number(text);
}
