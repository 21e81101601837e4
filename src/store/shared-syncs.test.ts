import { expect, test } from "vitest";
import { SharedSyncs } from "./shared-syncs.ts";

/** Flushes that end when the test says so. */
function held(): { syncs: SharedSyncs; begun: string[]; ends: PromiseWithResolvers<void>[] } {
  const [begun, ends]: [string[], PromiseWithResolvers<void>[]] = [[], []];
  const syncs = new SharedSyncs(async (directory) => {
    begun.push(directory);
    const end = Promise.withResolvers<void>();
    ends.push(end);
    await end.promise;
  });
  return { syncs, begun, ends };
}

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test("those who come during a flush share the next one, which begins after it", async () => {
  const { syncs, begun, ends } = held();
  const first = syncs.sync("a");
  await turn();
  const others = Promise.all([syncs.sync("a"), syncs.sync("a"), syncs.sync("a")]);
  await turn();
  expect(begun).toEqual(["a"]);
  ends[0]!.resolve();
  await first;
  await turn();
  expect(begun).toEqual(["a", "a"]);
  ends[1]!.resolve();
  await others;
});

test("who comes before a flush has begun shares it", async () => {
  const { syncs, begun, ends } = held();
  const both = Promise.all([syncs.sync("a"), syncs.sync("a")]);
  await turn();
  ends[0]!.resolve();
  await both;
  expect(begun).toEqual(["a"]);
});

test("directories do not wait for each other", async () => {
  const { syncs, begun, ends } = held();
  const both = Promise.all([syncs.sync("a"), syncs.sync("b")]);
  await turn();
  expect(begun).toEqual(["a", "b"]);
  ends.forEach((end) => end.resolve());
  await both;
});

test("a failure is that of its own flush; the next is tried, and none is remembered", async () => {
  const { syncs, begun, ends } = held();
  const first = syncs.sync("a");
  await turn();
  const second = syncs.sync("a");
  ends[0]!.reject(new Error("the disk is gone"));
  await expect(first).rejects.toThrow("the disk is gone");
  await turn();
  ends[1]!.resolve();
  await second;
  const third = syncs.sync("a");
  await turn();
  ends[2]!.resolve();
  await third;
  expect(begun).toHaveLength(3);
});
