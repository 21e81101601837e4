import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { startHeartbeat, watchHeartbeat } from "./heartbeat.ts";

let root: string;
let stop: AbortController;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-heartbeat-"));
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await rm(root, { recursive: true, force: true });
});

it("tells a standby that the storage is in use", { timeout: 20_000 }, async () => {
  const isShared = watchHeartbeat(root, stop.signal);
  expect(isShared()).toBe(false);
  startHeartbeat(root, "leader", stop.signal);
  await vi.waitFor(() => expect(isShared()).toBe(true), { timeout: 15_000, interval: 100 });
});

it("does not take what a leader left long ago for a sign of life", { timeout: 10_000 }, async () => {
  await writeFile(join(root, ".leader"), "gone 17\n");
  const isShared = watchHeartbeat(root, stop.signal);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(isShared()).toBe(false);
});
