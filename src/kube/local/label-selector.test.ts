import { describe, expect, it } from "vitest";
import { codeOf } from "../../errors.ts";
import { parseLabelSelector } from "./label-selector.ts";

describe("parseLabelSelector", () => {
  const labels = { tier: "web", "sharding.fluxcd.io/key": "shard1", empty: "" };
  it.each([
    ["", true],
    ["tier", true],
    ["toString", false],
    ["!tier", false],
    ["! absent", true],
    ["tier=web", true],
    ["tier == web", true],
    ["tier=db", false],
    ["empty=", true],
    ["tier!=db", true],
    ["absent!=db", true],
    ["sharding.fluxcd.io/key=shard1", true],
    ["tier in (db, web)", true],
    ["tier in (db)", false],
    ["tier notin (db,cache)", true],
    ["absent notin (db)", true],
    ["tier in (db,web),!absent,sharding.fluxcd.io/key != shard2", true],
    ["tier in (db,web),absent", false],
  ])("%j: %s", (selector, expected) => {
    expect(parseLabelSelector(selector)(labels)).toBe(expected);
  });

  it.each(["a b", "=x", "tier in db", "tier=web,", "tier>1", "-a", "a in (b))"])("refuses %j", (selector) => {
    let code = "none";
    try {
      parseLabelSelector(selector);
    } catch (error) {
      code = codeOf(error);
    }
    expect(code).toBe("InvalidSpec");
  });
});
