import { describe, expect, it } from "vitest";
import { parseDuration } from "./duration.ts";

describe("parseDuration", () => {
  it.each([
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["1.5s", 1500],
    ["250ms", 250],
    ["1m0.5s", 60_500],
    ["0s", 0],
    ["5m0s", 300_000],
    ["1h1m1s1ms", 3_661_001],
  ])("reads %s as %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["", "10", "10 m", "-5m", "1d", "m", "1.m", ".5s", "10M", "1h30", "5m\n"])("refuses %j", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
