import { array, assert, constantFrom, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { FairQueue } from "./fair-queue.ts";

const all = (): boolean => true;

describe("FairQueue", () => {
  it("gives each group its turn, and the urgent the first of them", () => {
    const queue = new FairQueue<number>();
    for (const key of ["a1", "a2", "a3"]) queue.set("a", key, 0, false);
    queue.set("b", "b1", 0, false);
    queue.set("a", "a4", 0, true);
    queue.set("a", "a3", 7, true);
    const served = [];
    for (let next = queue.next(all); next !== undefined; next = queue.next(all)) served.push(next.key);
    expect(served).toEqual(["a4", "b1", "a3", "a1", "a2"]);
    expect(queue.size).toBe(0);
  });

  it("passes over a group that may not, which keeps its place", () => {
    const queue = new FairQueue<number>();
    for (const group of ["a", "b", "c"]) queue.set(group, "x", 0, false);
    expect(queue.next((group) => group !== "a")?.group).toBe("b");
    expect(queue.next(all)?.group).toBe("a");
    expect(queue.next(() => false)).toBeUndefined();
    expect(queue.size).toBe(1);
  });

  it("loses nothing and serves nothing twice, whatever is asked of it", () => {
    const step = record({
      act: constantFrom("set", "urgent", "delete", "next"),
      group: constantFrom("a", "b", "c"),
      key: constantFrom("x", "y", "z"),
    });
    assert(
      property(array(step, { maxLength: 60 }), (steps) => {
        const queue = new FairQueue<number>();
        const expected = new Set<string>();
        for (const { act, group, key } of steps) {
          if (act === "next") {
            const next = queue.next(all);
            expect(next === undefined).toBe(expected.size === 0);
            if (next !== undefined) expect(expected.delete(`${next.group}/${next.key}`)).toBe(true);
          } else if (act === "delete") {
            queue.delete(group, key);
            expected.delete(`${group}/${key}`);
          } else {
            queue.set(group, key, 0, act === "urgent");
            expected.add(`${group}/${key}`);
          }
          expect(queue.size).toBe(expected.size);
        }
      }),
    );
  });
});
