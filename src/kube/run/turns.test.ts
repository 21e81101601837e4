import { array, assert, constantFrom, property, record } from "fast-check";
import { describe, expect, it } from "vitest";
import { Permits } from "./permits.ts";
import { Places, Turns } from "./turns.ts";

const all = (): boolean => true;

describe("Turns", () => {
  it("gives each group its turn, and the urgent the first of them", () => {
    const turns = new Turns<number>();
    for (const key of ["a1", "a2", "a3"]) turns.set("a", key, 0, false);
    turns.set("b", "b1", 0, false);
    turns.set("a", "a4", 0, true);
    turns.set("a", "a3", 7, true);
    const served = [];
    for (let next = turns.next(all); next !== undefined; next = turns.next(all)) served.push(next.key);
    expect(served).toEqual(["a4", "b1", "a3", "a1", "a2"]);
    expect(turns.size).toBe(0);
  });

  it("passes over a group that may not, which keeps its place", () => {
    const turns = new Turns<number>();
    for (const group of ["a", "b", "c"]) turns.set(group, "x", 0, false);
    expect(turns.next((group) => group !== "a")?.group).toBe("b");
    expect(turns.next(all)?.group).toBe("a");
    expect(turns.next(() => false)).toBeUndefined();
    expect(turns.size).toBe(1);
  });

  it("loses nothing and serves nothing twice, whatever is asked of it", () => {
    const step = record({
      act: constantFrom("set", "urgent", "delete", "next"),
      group: constantFrom("a", "b", "c"),
      key: constantFrom("x", "y", "z"),
    });
    assert(
      property(array(step, { maxLength: 60 }), (steps) => {
        const turns = new Turns<number>();
        const expected = new Set<string>();
        for (const { act, group, key } of steps) {
          if (act === "next") {
            const next = turns.next(all);
            expect(next === undefined).toBe(expected.size === 0);
            if (next !== undefined) expect(expected.delete(`${next.group}/${next.key}`)).toBe(true);
          } else if (act === "delete") {
            turns.delete(group, key);
            expected.delete(`${group}/${key}`);
          } else {
            turns.set(group, key, 0, act === "urgent");
            expected.add(`${group}/${key}`);
          }
          expect(turns.size).toBe(expected.size);
        }
      }),
    );
  });
});

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

describe("Permits", () => {
  const held = (permits: Permits, group: string, signal = new AbortController().signal) => {
    const work = Promise.withResolvers<void>();
    const started = Promise.withResolvers<void>();
    let isStarted = false;
    const done = permits.hold(
      group,
      async () => {
        isStarted = true;
        started.resolve();
        await work.promise;
      },
      signal,
    );
    return { done, end: work.resolve, isStarted: () => isStarted };
  };
  const turn = async (): Promise<void> => await new Promise(setImmediate);

  it("never go all to one group, and come back", async () => {
    const permits = new Permits(4);
    const greedy = Array.from({ length: 10 }, () => held(permits, "greedy"));
    await turn();
    expect(greedy.filter(({ isStarted }) => isStarted())).toHaveLength(2);
    const other = held(permits, "other");
    await turn();
    expect(other.isStarted()).toBe(true);
    other.end();
    for (const { end } of greedy) end();
    await Promise.all([other, ...greedy].map(({ done }) => done));
    expect(permits.waiting).toBe(0);
    expect(held(permits, "other").isStarted()).toBe(false);
  });

  it("are not waited for any longer than the signal lets", async () => {
    const permits = new Permits(2);
    const first = held(permits, "a");
    const abort = new AbortController();
    const second = held(permits, "a", abort.signal);
    await turn();
    abort.abort();
    await expect(second.done).rejects.toMatchObject({ code: "Aborted" });
    await expect(held(permits, "b", AbortSignal.abort()).done).rejects.toMatchObject({ code: "Aborted" });
    expect(permits.waiting).toBe(0);
    first.end();
    await first.done;
    const third = held(permits, "a");
    await turn();
    expect(third.isStarted()).toBe(true);
  });

  it("come back from work that fails", async () => {
    const permits = new Permits(2);
    const fails = async (): Promise<never> => await Promise.reject(new Error("no"));
    for (let i = 0; i < 3; i++)
      await expect(permits.hold("a", fails, new AbortController().signal)).rejects.toThrow("no");
  });
});
