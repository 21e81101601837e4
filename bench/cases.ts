import { findProgram, measureCommand, strataProgram } from "./commands.ts";
import type { Side } from "./controllers.ts";
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

export const cases: readonly Case[] = [
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
  { name: "objects-100", title: "100 objects, an artifact each", scenario: manyObjects(100, "own") },
  { name: "objects-1000", title: "1,000 objects, an artifact each", scenario: manyObjects(1000, "own") },
  {
    name: "objects-5000",
    title: "5,000 objects, an artifact each",
    scenario: manyObjects(5000, "own"),
    maxRounds: 1,
    slow: true,
  },
  {
    name: "objects-shared",
    title: "1,000 objects, one reference",
    scenario: manyObjects(1000, "shared"),
    maxRounds: 1,
  },
  {
    name: "retag",
    title: "1,000 objects, a new version with the same layers",
    scenario: retagAll(1000),
    maxRounds: 1,
  },
  {
    name: "extract-huge",
    title: "extract, 1 GB in 10,000 files",
    scenario: firstReconcile(() => ({ artifact: "huge" })),
    maxRounds: 1,
    slow: true,
  },
  {
    name: "restart",
    title: "restart with 1,000 stored artifacts",
    scenario: restart(1000),
    maxRounds: 1,
    slow: true,
    note: "A restart is over when the process has used less than 4 % of a core for three seconds.",
  },
  {
    name: "start",
    title: "start, without objects",
    scenario: startUp,
    brief: true,
    note: "Starting ends when /readyz says so; the CPU is that of three seconds more. The goal's idle memory is what is resident then.",
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
