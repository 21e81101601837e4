import { defineConfig } from "vitest/config";
import { countReporter } from "../src/testing/count-reporter.ts";

/** Suites that measure time or kill servers: each has the machine to itself. */
const alone = ["attacks-time.e2e.ts", "attacks-chaos.e2e.ts", "resilience.e2e.ts", "resilience-replicas.e2e.ts"];

export default defineConfig({
  test: {
    root: import.meta.dirname,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    pool: "forks",
    reporters: ["verbose", countReporter("e2e")],
    projects: [
      {
        extends: true,
        // Every suite starts servers of its own and mostly waits for them, so two share a machine of two cores.
        test: {
          name: "side by side",
          include: ["**/*.e2e.ts"],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: "alone", include: alone, fileParallelism: false, sequence: { groupOrder: 1 } },
      },
    ],
  },
});
