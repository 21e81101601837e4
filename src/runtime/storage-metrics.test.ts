import { Registry } from "prom-client";
import { expect, it } from "vitest";
import { storageMetrics } from "./storage-metrics.ts";

it("shows the space at each scrape, and nothing of a volume that cannot be asked", async () => {
  const registry = new Registry();
  let answer = async () => await Promise.resolve({ size: 1000, free: 400 });
  storageMetrics(registry, async () => await answer());
  const samples = async (): Promise<string[]> =>
    (await registry.metrics()).split("\n").filter((line) => line.startsWith("strata"));
  expect(await samples()).toEqual(["strata_storage_size_bytes 1000", "strata_storage_free_bytes 400"]);
  answer = async () => await Promise.reject(new Error("stale file handle"));
  expect(await samples()).toEqual([]);
});
