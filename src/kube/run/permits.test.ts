import { describe, expect, it } from "vitest";
import { Permits } from "./permits.ts";

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
