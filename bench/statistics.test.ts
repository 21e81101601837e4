import { describe, expect, it } from "vitest";
import { factor, median, spread } from "./statistics.ts";

describe("median", () => {
  it.each<[readonly number[], number]>([
    [[7], 7],
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[100, 9, 20], 20],
  ])("of %j is %d", (figures, expected) => {
    expect(median(figures)).toBe(expected);
  });

  it("leaves its argument as it was", () => {
    const figures = Object.freeze([3, 1, 2]);
    median(figures);
    expect(figures).toEqual([3, 1, 2]);
  });

  it("of nothing is an error", () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

it("a spread names the extremes", () => {
  expect(spread([5, 1, 9, 7])).toEqual({ median: 6, min: 1, max: 9 });
});

it.each<[number, number, number | undefined]>([
  [2, 10, 5],
  [10, 2, 0.2],
  [0, 3, undefined],
])("%d against %d is a factor of %s", (ours, theirs, expected) => {
  expect(factor(ours, theirs)).toBe(expected);
});
