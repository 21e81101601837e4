import { setTimeout } from "node:timers/promises";
import { expect, it, vi } from "vitest";
import { readingTurns } from "./reading-turns.ts";

const large = 100_000_000;
const never = async (): Promise<never> => await new Promise(() => undefined);

it("reads so many large files at once, one after another", async () => {
  const inTurn = readingTurns(2, 60_000);
  let running = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    most = Math.max(most, ++running);
    await setTimeout(5);
    running -= 1;
  };
  await Promise.all(Array.from({ length: 10 }, () => inTurn(large, work)));
  expect(most).toBe(2);
});

it("waits for no other to read a small file, and not for ever to read a large one", async () => {
  const inTurn = readingTurns(1, 20);
  void inTurn(large, never);
  expect(await inTurn(1000, async () => await Promise.resolve("small"))).toBe("small");
  const work = vi.fn<() => Promise<string>>(async () => await Promise.resolve("large"));
  expect(await inTurn(large, work)).toBe("large");
  expect(work).toHaveBeenCalledTimes(1);
});

it("fails as the work does, in its turn and beside the others", async () => {
  const fail = async (): Promise<never> => await Promise.reject(new Error("gone"));
  const inTurn = readingTurns(1, 10);
  await expect(inTurn(large, fail)).rejects.toThrow("gone");
  void inTurn(large, never);
  await expect(inTurn(large, fail)).rejects.toThrow("gone");
});
