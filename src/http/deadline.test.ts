import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { Deadline, inTime, seconds, stoppedInTime } from "./deadline.ts";

const late = (): CodedError => new CodedError("RegistryTimeout", "late");
const open = new AbortController().signal;
const untilAborted = async (signal: AbortSignal, error: Error): Promise<never> => {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  throw error;
};

describe.each([
  ["inTime", inTime],
  ["stoppedInTime", stoppedInTime],
])("%s", (_, run) => {
  it("is what the work is", async () => {
    expect(await run({ ms: 1000, late }, async () => await Promise.resolve(7), open)).toBe(7);
    await expect(run({ ms: 1000, late }, async () => await Promise.reject(new Error("no")), open)).rejects.toThrow(
      "no",
    );
  });

  it("says what took too long, whatever the work says when it is stopped", async () => {
    const work = async (signal: AbortSignal): Promise<never> => await untilAborted(signal, new Error("socket closed"));
    await expect(run({ ms: 10, late }, work, open)).rejects.toMatchObject({ code: "RegistryTimeout", message: "late" });
  });

  it("ends with the signal, which is nobody's lateness", async () => {
    const abort = new AbortController();
    const work = async (signal: AbortSignal): Promise<never> =>
      await untilAborted(signal, new CodedError("Aborted", "gone"));
    const running = run({ ms: 10_000, late }, work, abort.signal);
    abort.abort(new CodedError("Aborted", "edited"));
    await expect(running).rejects.toMatchObject({ code: "Aborted" });
  });
});

it("inTime does not wait for work that will not stop; stoppedInTime does", async () => {
  let ended = false;
  const work = async (): Promise<void> => {
    await sleep(100);
    ended = true;
  };
  await expect(inTime({ ms: 5, late }, work, open)).rejects.toThrow("late");
  expect(ended).toBe(false);
  await stoppedInTime({ ms: 5, late }, work, open);
  expect(ended).toBe(true);
});

it("does not matter any more once it is lifted", async () => {
  const deadline = new Deadline({ ms: 10, late }, open);
  expect(deadline.leftMs).toBeGreaterThan(0);
  deadline.lift();
  await sleep(30);
  expect([deadline.signal.aborted, deadline.lateness, deadline.leftMs]).toEqual([false, undefined, 0]);
});

it.each([
  [1, "0.001 s"],
  [90_000, "90 s"],
  [1500, "1.5 s"],
])("tells %i ms as %s", (ms, text) => {
  expect(seconds(ms)).toBe(text);
});
