import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "api/**/*.test.ts", "crds/**/*.test.ts", "docs/**/*.test.ts", "bench/**/*.test.ts"],
    testTimeout: 15_000,
    hookTimeout: 30_000,
    pool: "forks",
  },
});
