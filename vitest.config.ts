import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import { countReporter } from "./src/testing/count-reporter.ts";

export default defineConfig({
  test: {
    include: ["{src,api,crds,config,release,docs,bench,e2e}/**/*.test.ts"],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    pool: "forks",
    // Most of the time is spent in waiting and in loading modules: more workers than cores, and each loads a module once.
    maxWorkers: Math.max(3, availableParallelism()),
    isolate: false,
    reporters: ["default", countReporter("unit")],
  },
});
