import { describe, expect, it } from "vitest";
import { Places } from "./places.ts";

describe("Places", () => {
  it.each([
    [1, 16, [8]],
    [2, 16, [6, 5]],
    [3, 16, [4, 4, 4]],
    [15, 16, Array.from({ length: 15 }, () => 1)],
    [1, 8, [4]],
    [1, 2, [1]],
  ])("leave room for others where %i groups take all of %i that they can", (groups, most, expected) => {
    const places = new Places(most);
    const held = Array.from({ length: groups }, () => 0);
    for (let round = 0; round < most; round++)
      for (const group of held.keys())
        if (places.mayTake(String(group))) {
          places.take(String(group));
          held[group]!++;
        }
    expect(held).toEqual(expected);
    expect(places.mayTake("newcomer")).toBe(true);
  });
});
