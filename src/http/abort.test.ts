import { setImmediate } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { aborted, unlessAborted } from "./abort.ts";

const givenUp = () => new Error("given up");
const never = new Promise<string>(() => undefined);

describe("aborted", () => {
  it("resolves with the abort, and after it", async () => {
    const abort = new AbortController();
    const seen = vi.fn<() => void>();
    const waiting = aborted(abort.signal).then(seen);
    await setImmediate();
    expect(seen).not.toHaveBeenCalled();
    abort.abort();
    await waiting;
    await aborted(abort.signal);
  });
});

describe("unlessAborted", () => {
  it("is what the work is", async () => {
    const { signal } = new AbortController();
    expect(await unlessAborted(Promise.resolve("done"), signal, givenUp)).toBe("done");
    await expect(unlessAborted(Promise.reject(new Error("failed")), signal, givenUp)).rejects.toThrow("failed");
  });

  it("ends with the signal, while the work goes on", async () => {
    const abort = new AbortController();
    const work = Promise.withResolvers<string>();
    const [one, other] = [
      unlessAborted(work.promise, abort.signal, givenUp),
      unlessAborted(work.promise, new AbortController().signal, givenUp),
    ];
    abort.abort();
    await expect(one).rejects.toThrow("given up");
    work.resolve("done");
    expect(await other).toBe("done");
  });

  it("does not begin to wait where the signal is aborted already, and leaves no rejection behind", async () => {
    const work = Promise.withResolvers<string>();
    await expect(unlessAborted(never, AbortSignal.abort(), givenUp)).rejects.toThrow("given up");
    await expect(unlessAborted(work.promise, AbortSignal.abort(), givenUp)).rejects.toThrow("given up");
    // Nobody waits any more: the runner would report a rejection that is not handled.
    work.reject(new Error("late"));
    await setImmediate();
  });
});
