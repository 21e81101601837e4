import { defineConfig } from "vitest/config";
import { countReporter } from "../src/testing/count-reporter.ts";

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["**/*.e2e.ts"],
    // Every suite starts servers of its own, on a machine that may have two cores.
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    reporters: ["verbose", countReporter("e2e")],
  },
});
