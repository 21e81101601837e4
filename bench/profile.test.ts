import { expect, it } from "vitest";
import { renderProfile, topFunctions, type CpuProfile } from "./profile.ts";

const frame = (functionName: string, url = "", lineNumber = 0): CpuProfile["nodes"][number]["callFrame"] => ({
  functionName,
  url,
  lineNumber,
});

const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame("(idle)") },
    { id: 2, callFrame: frame("read", "file:///somewhere/strata/src/archive/read.ts", 9) },
    { id: 3, callFrame: frame("", "node:zlib", 99) },
    // The same function, called from elsewhere.
    { id: 4, callFrame: frame("read", "file:///somewhere/strata/src/archive/read.ts", 9) },
    { id: 5, callFrame: frame("parse", "file:///somewhere/strata/node_modules/undici/index.js", 0) },
  ],
  samples: [1, 2, 3, 4, 2, 5],
  timeDeltas: [50_000, 1000, 2500, 2000, 1000, 500],
};

it("sums the time in each function and leaves idleness out", () => {
  expect(topFunctions(profile, 10)).toEqual([
    { name: "read src/archive/read.ts:10", selfMs: 4 },
    { name: "(anonymous) node:zlib:100", selfMs: 2.5 },
    { name: "parse node_modules/undici/index.js:1", selfMs: 0.5 },
  ]);
  expect(topFunctions(profile, 1)).toHaveLength(1);
});

it("takes a profile without samples", () => {
  expect(topFunctions({ nodes: profile.nodes }, 10)).toEqual([]);
});

it("tells the threads apart, the busiest first", () => {
  const lines = renderProfile(
    topFunctions(profile, 1),
    new Map([
      ["libuv-worker", 20],
      ["MainThread", 110],
      ["V8Worker", 0],
    ]),
  ).split("\n");
  expect(lines.map((line) => line.trim())).toEqual([
    "CPU by thread:",
    "110 ms  MainThread",
    "20 ms  libuv-worker",
    "The main thread, by self time:",
    "4.0 ms  read src/archive/read.ts:10",
  ]);
});
