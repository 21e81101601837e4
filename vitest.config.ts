import { defineConfig } from "vitest/config";
import { countReporter } from "./src/testing/count-reporter.ts";

export default defineConfig({
  test: {
    include: ["{src,api,crds,config,docs,bench}/**/*.test.ts"],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    pool: "forks",
    reporters: ["default", countReporter("unit")],
  },
});
