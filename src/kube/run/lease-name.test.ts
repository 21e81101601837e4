import { describe, expect, it } from "vitest";
import { leaseName } from "./lease-name.ts";

const name = (selector: string): string => leaseName("strata-controller", selector);

describe("the Lease", () => {
  it("is the known one without a selector", () => {
    expect([name(""), name("  ")]).toEqual(Array(2).fill("strata-controller-leader-election"));
  });

  it("is another for every selector", () => {
    const selectors = [
      "key=shard1",
      "key!=shard1",
      "key in (shard1)",
      "key notin (shard1)",
      "key",
      "!key",
      "Key",
      "key=Shard1",
      "key=shard-1",
      "key=shard.1",
      "key=shard1,other",
      "key=shard1,!other",
      "sharding.fluxcd.io/key=shard1",
      "key=",
      `key=${"a".repeat(63)}`,
      `a${"b".repeat(300)}`,
      `a${"b".repeat(301)}`,
    ];
    const names = selectors.map(name);
    expect(new Set(names).size).toBe(selectors.length);
    for (const each of names) {
      expect(each).toMatch(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/);
      expect(each.length).toBeLessThanOrEqual(253);
    }
  });

  it.each([
    ["key=shard1", " key == shard1 "],
    ["a=1,b=2", "b=2, a=1"],
    ["key in (a,b)", "key  in ( a , b )"],
    ["!key", "! key"],
  ])("is the same for %j and %j", (one, other) => {
    expect(name(one)).toBe(name(other));
  });
});
