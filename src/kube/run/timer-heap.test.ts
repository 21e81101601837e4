import { describe, expect, it } from "vitest";
import { FakeClock } from "../../testing/fake-clock.ts";
import { TimerHeap } from "./timer-heap.ts";

function heapOf(): { clock: FakeClock; heap: TimerHeap; fired: string[] } {
  const clock = new FakeClock();
  const fired: string[] = [];
  return { clock, fired, heap: new TimerHeap(clock, (key) => fired.push(`${key}@${clock.now()}`)) };
}

/** Numbers that look random and are the same each time. */
function* pseudoRandom(): Generator<number, never> {
  for (let state = 42; ;) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    yield state;
  }
}

describe("TimerHeap", () => {
  it("calls each key at its earliest time, once", async () => {
    const { clock, heap, fired } = heapOf();
    heap.set("a", 300);
    heap.set("b", 200);
    heap.set("a", 100);
    heap.set("b", 400);
    heap.set("c", -5);
    heap.set("d", 250);
    heap.delete("d");
    expect(heap.size).toBe(3);
    expect(clock.pending).toBe(1);
    await clock.advance(1000);
    expect(fired).toEqual(["c@0", "a@100", "b@200"]);
    heap.set("a", 100);
    await clock.advance(1000);
    expect(fired.at(-1)).toBe("a@1100");
    expect(clock.pending).toBe(0);
  });

  it("waits longer than any timer can", async () => {
    const { clock, heap, fired } = heapOf();
    const year = 365 * 24 * 3_600_000;
    heap.set("a", year);
    await clock.advance(year - 1);
    expect(fired).toEqual([]);
    await clock.advance(1);
    expect(fired).toEqual([`a@${year}`]);
  });

  it("keeps thousands of keys in order with a single timer", async () => {
    const { clock, heap, fired } = heapOf();
    const random = pseudoRandom();
    const due = new Map<string, number>();
    for (let i = 0; i < 20_000; i++) {
      const key = `key${random.next().value % 5000}`;
      const at = random.next().value % 100;
      if (random.next().value % 4 === 0) {
        heap.delete(key);
        due.delete(key);
      }
      heap.set(key, at);
      due.set(key, Math.min(due.get(key) ?? Infinity, at));
    }
    expect(clock.pending).toBe(1);
    await clock.advance(100);
    expect(fired.map((line) => Number(line.split("@")[1]))).toEqual([...due.values()].sort((a, b) => a - b));
    expect(new Set(fired)).toEqual(new Set([...due].map(([key, at]) => `${key}@${at}`)));
  });

  it("forgets everything when cleared", async () => {
    const { clock, heap, fired } = heapOf();
    heap.set("a", 10);
    heap.clear();
    expect(clock.pending).toBe(0);
    heap.set("b", 20);
    await clock.advance(100);
    expect(fired).toEqual(["b@20"]);
  });
});
