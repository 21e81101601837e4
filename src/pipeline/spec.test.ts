import { describe, expect, it } from "vitest";
import { intervalMs, isTooOften, timeoutMs, transferMs } from "./spec.ts";

describe("interval", () => {
  it.each([
    ["10m", 600_000, false],
    ["1s", 1000, false],
    ["0s", 0, false],
    ["0m0.0s", 0, false],
    ["1ms", 1000, true],
    ["0.1ms", 1000, true],
    ["999ms", 1000, true],
  ])("%s is every %i ms", (interval, ms, tooOften) => {
    expect([intervalMs({ interval }), isTooOften({ interval })]).toEqual([ms, tooOften]);
  });
});

describe("timeout", () => {
  it.each([
    ["60s", 60_000],
    ["1ms", 1],
    ["0.1ms", 1],
    ["0s", 600_000],
    ["90m", 600_000],
    ["99999999999999m", 600_000],
  ])("%s is %i ms", (timeout, ms) => {
    expect(timeoutMs({ timeout })).toBe(ms);
  });
});

describe("the time for a transfer", () => {
  it("follows from its size", () => {
    const small = transferMs({ bytes: 40_000, parts: 1 }, 60_000);
    expect(small).toBeLessThan(7 * 60_000);
    // On a line of 30 kB/s there is still room.
    const large = transferMs({ bytes: 300_000_000, parts: 4 }, 60_000);
    expect(large).toBeGreaterThan(300_000_000 / 30);
  });

  it.each([8 * 2 ** 30, 2 ** 50, Number.MAX_SAFE_INTEGER])("is one that a timer can wait for: %i bytes", (bytes) => {
    expect(transferMs({ bytes, parts: 1 }, 60_000)).toBeLessThan(2 ** 31);
  });
});
