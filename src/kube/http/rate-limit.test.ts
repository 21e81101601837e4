import { describe, expect, it } from "vitest";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import { RateLimit } from "./rate-limit.ts";

/** When each of `count` requests may go, in milliseconds. */
async function times(limit: RateLimit, clock: FakeClock, count: number): Promise<number[]> {
  const passed: number[] = [];
  const { signal } = new AbortController();
  for (let i = 0; i < count; i++) void limit.take(signal).then(() => passed.push(clock.now()));
  await clock.advance(10_000);
  return passed;
}

describe("a rate limit", () => {
  it.each([
    ["a burst, then a steady pace", 10, 3, [0, 0, 0, 100, 200, 300]],
    ["no burst below one", 10, 0, [0, 100, 200, 300, 400, 500]],
    ["everything where there is no limit", 0, 1, [0, 0, 0, 0, 0, 0]],
  ])("lets pass %s", async (_, qps, burst, expected) => {
    const clock = new FakeClock();
    expect(await times(new RateLimit(qps, burst, clock), clock, 6)).toEqual(expected);
  });

  it("fills up again, but not beyond the burst", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(10, 3, clock);
    await times(limit, clock, 6);
    const start = clock.now();
    expect((await times(limit, clock, 5)).map((time) => time - start)).toEqual([0, 0, 0, 100, 200]);
  });

  it("takes back the token of who no longer waits", async () => {
    const clock = new FakeClock();
    const limit = new RateLimit(10, 1, clock);
    const stop = new AbortController();
    const waiting = [1, 2, 3].map(() => limit.take(stop.signal));
    await settle();
    stop.abort();
    await Promise.all(waiting);
    expect(clock.pending).toBe(0);
    expect(await times(limit, clock, 2)).toEqual([100, 200]);
  });
});
