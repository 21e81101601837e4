import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { countReporter } from "./src/testing/count-reporter.ts";

export default defineConfig({
  test: {
    include: ["{src,api,crds,config,release,docs,bench,e2e}/**/*.test.ts"],
    // The first test of a file may load hundreds of modules, which takes 15 s where twenty others want the processor.
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: "forks",
    // Most of the time is spent in waiting and in loading modules: more workers than cores, and each loads a module once.
    maxWorkers: Math.max(3, availableParallelism()),
    isolate: false,
    reporters: ["default", countReporter("unit")],
  },
});
