import { describe, expect, it } from "vitest";
import { CodedError, codeOf, messageOf } from "../../errors.ts";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";

const limits = { maxPending: 3, attempts: 3, baseMs: 100, maxMs: 150 };

function outboxOf(options: Partial<OutboxOptions<string>> = {}): {
  clock: FakeClock;
  outbox: Outbox<string>;
  sent: string[];
  dropped: string[];
} {
  const clock = new FakeClock();
  const [sent, dropped]: [string[], string[]] = [[], []];
  const outbox = new Outbox<string>({
    clock,
    limits,
    isTransient: (error) => codeOf(error) === "KubeUnreachable",
    onDrop: (error, item) => dropped.push(`${item ?? "new"}: ${messageOf(error)}`),
    ...options,
    send: async (item, signal) => {
      sent.push(`${item}@${clock.now()}`);
      await options.send?.(item, signal);
    },
  });
  return { clock, outbox, sent, dropped };
}

const unreachable = async (): Promise<void> => await Promise.reject(new CodedError("KubeUnreachable", "down"));
const hang = async (_: string, signal: AbortSignal): Promise<void> =>
  await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

describe("Outbox", () => {
  it("sends in order and makes one of what has the same key", async () => {
    const { outbox, sent } = outboxOf();
    outbox.put("a", () => "1");
    outbox.put("b", () => "2");
    outbox.put("a", (waiting) => `${waiting}+3`);
    expect(sent).toEqual([]);
    await settle();
    outbox.put("a", (waiting) => `${waiting}`);
    await settle();
    expect(sent).toEqual(["1+3@0", "2@0", "undefined@0"]);
  });

  it.each<[string, () => Promise<void>, string[], string[]]>([
    [
      "tries again what may succeed",
      unreachable,
      ["1@0", "1@100", "1@250", "2@250", "2@350", "2@500"],
      ["1: down", "2: down"],
    ],
    [
      "drops at once what cannot",
      async () => await Promise.reject(new CodedError("KubeRejected", "no")),
      ["1@0", "2@0"],
      ["1: no", "2: no"],
    ],
  ])("%s, then goes on", async (_, send, expectedSent, expectedDropped) => {
    const { outbox, sent, dropped, clock } = outboxOf({ send });
    outbox.put("a", () => "1");
    outbox.put("b", () => "2");
    await clock.advance(10_000);
    expect(sent).toEqual(expectedSent);
    expect(dropped).toEqual(expectedDropped);
  });

  it("holds no more than it may", async () => {
    const { outbox, dropped, sent, clock } = outboxOf({ send: hang });
    outbox.put("sending", () => "0");
    await settle();
    for (const key of ["a", "b", "c", "d", "e"]) outbox.put(key, () => key);
    outbox.put("a", () => "a again");
    expect(dropped).toEqual(["new: 3 others wait to be sent already", "new: 3 others wait to be sent already"]);
    const closed = outbox.close(500);
    await clock.advance(500);
    await closed;
    expect(sent).toEqual(["0@0"]);
  });

  it("sends what is left when it is closed, and takes nothing more", async () => {
    const { outbox, sent, clock } = outboxOf();
    outbox.put("a", () => "1");
    const closed = outbox.close(1000);
    outbox.put("b", () => "2");
    await closed;
    expect(sent).toEqual(["1@0"]);
    expect(clock.pending).toBe(0);
    await outbox.close(1000);
  });

  it("gives up a pause when its time is over", async () => {
    const { outbox, sent, dropped, clock } = outboxOf({ send: unreachable });
    outbox.put("a", () => "1");
    const closed = outbox.close(50);
    await clock.advance(50);
    await closed;
    expect(sent).toHaveLength(2);
    expect(dropped).toEqual(["1: down"]);
    expect(clock.pending).toBe(0);
  });
});
