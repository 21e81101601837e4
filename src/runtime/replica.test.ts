import { describe, expect, it } from "vitest";
import { Replica } from "./replica.ts";

const times = { totalMs: 30_000, reconcilesShare: 0.8, leastMs: 1000 };

function replica() {
  const world = { isShared: false, now: 0 };
  return {
    world,
    replica: new Replica(
      times,
      () => world.isShared,
      () => world.now,
    ),
  };
}

describe("a replica", () => {
  it.each([
    { leads: false, isShared: false, isSynced: false, holdsFiles: false, isReady: false },
    { leads: false, isShared: false, isSynced: true, holdsFiles: false, isReady: false },
    { leads: false, isShared: true, isSynced: false, holdsFiles: true, isReady: false },
    { leads: false, isShared: true, isSynced: true, holdsFiles: true, isReady: true },
    { leads: true, isShared: false, isSynced: false, holdsFiles: true, isReady: false },
    { leads: true, isShared: false, isSynced: true, holdsFiles: true, isReady: true },
  ])("answers as its row says: %o", ({ leads, isShared, isSynced, ...expected }) => {
    const { replica: one, world } = replica();
    world.isShared = isShared;
    if (leads) one.leads();
    if (isSynced) one.synced();
    expect({ holdsFiles: one.holdsFiles, isReady: one.isReady }).toEqual(expected);
  });

  it("holds the files no more once it stops, unless it shares them", () => {
    const { replica: one, world } = replica();
    one.leads();
    one.stops();
    expect(one.holdsFiles).toBe(false);
    world.isShared = true;
    expect(one.holdsFiles).toBe(true);
  });

  it.each([
    [0, 30_000],
    [24_000, 6000],
    [29_500, 1000],
    [90_000, 1000],
  ])("has, %i ms after it has begun to stop, %i ms left for who stops last", (passed, left) => {
    const { replica: one, world } = replica();
    world.now = 5000;
    expect(one.graceLeftMs()).toBe(30_000);
    one.stops();
    world.now += passed;
    expect(one.graceLeftMs()).toBe(left);
  });

  it("gives its reconciles most of the time, and none once another may lead", () => {
    const { replica: one } = replica();
    expect([one.reconcilesGraceMs(false), one.reconcilesGraceMs(true)]).toEqual([24_000, 0]);
  });
});
