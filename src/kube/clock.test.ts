import { describe, expect, it } from "vitest";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { sleep, systemClock } from "./clock.ts";

describe("sleep", () => {
  it("ends with the time, or with the signal, and leaves nothing behind", async () => {
    const clock = new FakeClock();
    const ended: string[] = [];
    const abort = new AbortController();
    void sleep(clock, 100, new AbortController().signal).then(() => ended.push("time"));
    void sleep(clock, 1000, abort.signal).then(() => ended.push("signal"));
    void sleep(clock, 1000, AbortSignal.abort()).then(() => ended.push("aborted"));
    await clock.advance(99);
    expect(ended).toEqual(["aborted"]);
    await clock.advance(1);
    expect(ended).toEqual(["aborted", "time"]);
    abort.abort();
    await settle();
    expect(ended).toEqual(["aborted", "time", "signal"]);
    expect(clock.pending).toBe(0);
  });
});

describe("systemClock", () => {
  it("goes forward, calls back, and can be told not to", async () => {
    const before = systemClock.now();
    const called: string[] = [];
    const cancel = systemClock.after(0, () => called.push("cancelled"));
    cancel();
    await sleep(systemClock, 5, new AbortController().signal);
    expect(systemClock.now() - before).toBeGreaterThan(3);
    expect(called).toEqual([]);
    expect(Math.abs(systemClock.date().getTime() - Date.now())).toBeLessThan(1000);
  });
});
