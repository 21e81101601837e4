import { describe, expect, it } from "vitest";
import { floorMs, renderLimits, type Limits } from "./limits.ts";

const limits: Limits = { inflate: 500, sha256: 1000, deflate: 200, deflateLevel: 3, ratio: 0.5 };

describe("the least that 100 MB can take", () => {
  it.each<[string, boolean, number]>([
    ["inflated once, hashed twice", false, 200 + 100 + 50],
    ["compressed and hashed once more", true, 200 + 100 + 50 + 500 + 50],
  ])("%s", (_, changed, expected) => {
    expect(floorMs(limits, 100, changed)).toBeCloseTo(expected, 6);
  });

  it("grows with the size", () => {
    expect(floorMs(limits, 1000, true)).toBeCloseTo(10 * floorMs(limits, 100, true), 6);
  });
});

it("the rates are told", () => {
  expect(renderLimits(limits)).toContain("inflates 500 MB/s");
  expect(renderLimits(limits)).toContain("350 ms of CPU, or 900 ms");
});
