import { describe, expect, it } from "vitest";
import { EventLoopTurns } from "./event-loop-turns.ts";

describe("turns", () => {
  it("come after each slice, and let everything else run", async () => {
    let now = 0;
    const turns = new EventLoopTurns(undefined, () => now);
    let others = 0;
    for (let i = 0; i < 100; i++) {
      setImmediate(() => (others += 1));
      now += 1;
      await turns.next();
    }
    expect(turns.taken).toBe(10);
    expect(others).toBeGreaterThan(80);
  });

  it("end with the reason of the signal", async () => {
    let now = 0;
    const abort = new AbortController();
    const turns = new EventLoopTurns(abort.signal, () => now);
    now = 20;
    setImmediate(() => abort.abort(new Error("enough")));
    await expect(turns.next()).rejects.toThrow("enough");
  });
});
