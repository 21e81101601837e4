import { findProgram, measureCommand, strataProgram } from "./commands.ts";
import type { Side } from "./controllers.ts";
import { besideDownloads } from "./fairness.ts";
import {
  firstReconcile,
  manyObjects,
  noOpReconcile,
  restart,
  retagAll,
  smallReconciles,
  startUp,
  type Scenario,
} from "./scenarios.ts";
import { manyOfStrata, rateAfterRestart, sharded } from "./scale.ts";
import type { ArtifactName } from "./artifacts.ts";

/** One row of the table. */
export interface Case {
  readonly name: string;
  readonly title: string;
  readonly scenario: Scenario;
  /** The program that Strata is compared with; source-controller unless stated. */
  readonly against?: string;
  /** Rounds at most: where one takes minutes. */
  readonly maxRounds?: number;
  /** Passed over by `--quick`. */
  readonly slow?: boolean;
  /** A process that ends by itself, or whose start is the work: `--profile` passes it over. */
  readonly brief?: boolean;
  /** Said below the table. */
  readonly note?: string;
}

const layerSelector = (operation: string): object => ({
  mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip",
  operation,
});
const copyOf: Readonly<Record<Side, object>> = { strata: layerSelector("Copy"), flux: layerSelector("copy") };
const bothLayers = (side: Side): { artifact: ArtifactName; spec?: Record<string, unknown> } =>
  side === "strata"
    ? { artifact: "twoOf50", spec: { layerSelector: { operation: "ExtractAll" } } }
    : { artifact: "big" };

/** The rows; those of many objects have a `shrink`-th of them. */
export function casesFor(shrink: number): readonly Case[] {
  const of = (count: number): number => Math.max(1, Math.round(count / shrink));
  return [...contentCases, ...objectCases(of), ...scaleCases(of), ...commandCases];
}

const contentCases: readonly Case[] = [
  { name: "extract-small", title: "extract, 40 kB", scenario: smallReconciles(20) },
  {
    name: "extract-mid",
    title: "extract, 10 MB in 2,500 files",
    scenario: firstReconcile(() => ({ artifact: "mid" })),
  },
  {
    name: "extract-big",
    title: "extract, 100 MB in 25,000 files",
    scenario: firstReconcile(() => ({ artifact: "big" })),
  },
  {
    name: "extract-few",
    title: "extract, 100 MB in 1,000 files",
    scenario: firstReconcile(() => ({ artifact: "fewFiles" })),
  },
  {
    name: "copy-big",
    title: "copy, 100 MB",
    scenario: firstReconcile((side) => ({ artifact: "big", spec: { layerSelector: copyOf[side] } })),
  },
  {
    name: "extract-ignore",
    title: "extract, 100 MB, a tenth of it ignored",
    scenario: firstReconcile(() => ({ artifact: "big", spec: { ignore: "/group-3" } })),
  },
  {
    name: "extract-all",
    title: "ExtractAll, two layers of 50 MB",
    scenario: firstReconcile(bothLayers),
    note: "source-controller cannot join layers: its figures are those of one layer with as many bytes and files.",
  },
  { name: "noop-small", title: "nothing new, 40 kB", scenario: noOpReconcile("small", 20) },
  { name: "noop-big", title: "nothing new, 100 MB", scenario: noOpReconcile("big", 10) },
  {
    name: "extract-huge",
    title: "extract, 1 GB in 10,000 files",
    scenario: firstReconcile(() => ({ artifact: "huge" })),
    maxRounds: 1,
    slow: true,
  },
  {
    name: "start",
    title: "start, without objects",
    scenario: startUp,
    brief: true,
    note: "Starting ends when /readyz says so; the CPU is that of three seconds more. The goal's idle memory is what is resident then.",
  },
];

/** Strata's alone: with ten thousand objects source-controller takes as long for each as with one. */
function scaleCases(of: (count: number) => number): readonly Case[] {
  const [ten, twenty] = [manyOfStrata(of(10_000)), manyOfStrata(of(20_000))];
  const common = { against: "nothing", maxRounds: 1, slow: true } as const;
  return [
    { ...common, name: "objects-10000", title: "10,000 objects, an artifact each", scenario: ten("objects") },
    {
      ...common,
      name: "scrape-10000",
      title: "a scrape of /metrics with 10,000 objects",
      scenario: ten("scrape"),
      note: "What is downloaded is the text of the metrics.",
    },
    { ...common, name: "restart-10000", title: "restart with 10,000 stored artifacts", scenario: ten("restart") },
    { ...common, name: "objects-20000", title: "20,000 objects, an artifact each", scenario: twenty("objects") },
    {
      name: "fairness",
      title: "40 kB beside ten downloads of 300 MB",
      scenario: besideDownloads(of(10), 3),
      maxRounds: 1,
      slow: true,
      note: "Each download is held to 15 MB/s by a proxy; the figures are those of one small object.",
    },
    ...shardCases(of),
  ];
}

function shardCases(of: (count: number) => number): readonly Case[] {
  const caseOf = (processes: number, title: string): Case => ({
    name: `shards-${processes}`,
    title: `4,000 objects by ${title}`,
    scenario: sharded(of(4000), processes),
    against: "nothing",
    maxRounds: 1,
    slow: true,
    note: "CPU is that of all processes, memory that of the largest; all share this machine.",
  });
  return [caseOf(1, "one process"), caseOf(2, "two processes"), caseOf(4, "four processes")];
}

function objectCases(of: (count: number) => number): readonly Case[] {
  return [
    { name: "objects-100", title: "100 objects, an artifact each", scenario: manyObjects(of(100), "own") },
    { name: "objects-1000", title: "1,000 objects, an artifact each", scenario: manyObjects(of(1000), "own") },
    {
      name: "objects-5000",
      title: "5,000 objects, an artifact each",
      scenario: manyObjects(of(5000), "own"),
      maxRounds: 1,
      slow: true,
    },
    {
      name: "objects-shared",
      title: "1,000 objects, one reference",
      scenario: manyObjects(of(1000), "shared"),
      maxRounds: 1,
    },
    ...againCases(of),
  ];
}

/** Objects that were ready before. */
function againCases(of: (count: number) => number): readonly Case[] {
  return [
    {
      name: "retag",
      title: "1,000 objects, a new version with the same layers",
      scenario: retagAll(of(1000)),
      maxRounds: 1,
    },
    {
      name: "restart",
      title: "restart with 1,000 stored artifacts",
      scenario: restart(of(1000)),
      maxRounds: 1,
      slow: true,
      note: "A restart is over when the process has used less than 4 % of a core for three seconds.",
    },
    {
      name: "restart-rate",
      title: "the minute after a restart with 1,000 objects of interval 1m",
      scenario: rateAfterRestart(of(1000)),
      maxRounds: 1,
      slow: true,
      note: "The requests are the most in five seconds; steadily they are 83 and 167.",
    },
  ];
}

const commandCases: readonly Case[] = [
  {
    name: "help",
    title: "strata --help",
    scenario: async (bench, side) =>
      side === "strata" ? await measureCommand(bench, strataProgram, () => ["--help"]) : undefined,
    against: "nothing",
    brief: true,
  },
  {
    name: "build-directory",
    title: "strata build, 100 MB → directory",
    scenario: command("big", "", "flux"),
    against: "flux",
    brief: true,
  },
  {
    name: "build-file",
    title: "strata build, 100 MB → file",
    scenario: command("big", "/artifact.tar.gz", undefined),
    against: "nothing",
    brief: true,
  },
  {
    name: "build-all",
    title: "strata build, ExtractAll of two layers of 100 MB → directory",
    scenario: command("module", "", "timoni"),
    against: "timoni",
    brief: true,
  },
];

/** The command lines pull `artifact` into a directory, or `file` in it. */
function command(artifact: "big" | "module", file: string, rival: "flux" | "timoni" | undefined): Scenario {
  return async (bench, side) => {
    const url = await bench.artifacts.url(artifact);
    if (side === "strata")
      return await measureCommand(bench, strataProgram, (out) => [
        "build",
        `${url}:1.0.0`,
        "--insecure",
        "--operation",
        artifact === "big" ? "Extract" : "ExtractAll",
        "-o",
        `${out}${file === "" ? "/tree" : file}`,
      ]);
    const program = rival && (await findProgram(rival));
    if (program === undefined) return undefined;
    return await measureCommand(bench, program, (out) => rivalArgs[rival!](url, out));
  };
}

const rivalArgs = {
  flux: (url: string, out: string): readonly string[] => [
    "pull",
    "artifact",
    `${url}:1.0.0`,
    "--output",
    out,
    "--insecure-registry",
  ],
  timoni: (url: string, out: string): readonly string[] => [
    "mod",
    "pull",
    url,
    "--version",
    "1.0.0",
    "--output",
    out,
    "--registry-insecure",
  ],
};
