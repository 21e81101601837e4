import type { Clock } from "../clock.ts";

/** Node calls back at once for anything longer. */
const longestTimerMs = 2 ** 31 - 1;

interface Entry {
  readonly due: number;
  readonly key: string;
}

/**
 * Any number of keys that are each due at some time, with one timer for all of them. A key has one time: the earliest that was asked
 * for. Removed and replaced entries stay in the heap until they come up or outnumber the others.
 */
export class TimerHeap {
  readonly #clock: Clock;
  readonly #onDue: (key: string) => void;
  readonly #due = new Map<string, number>();
  #heap: Entry[] = [];
  #armedFor = Infinity;
  #disarm: () => void = () => {};

  constructor(clock: Clock, onDue: (key: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#due.size;
  }

  /** Nothing happens where the key is due earlier already. */
  set(key: string, milliseconds: number): void {
    const due = this.#clock.now() + Math.max(0, milliseconds);
    if ((this.#due.get(key) ?? Infinity) <= due) return;
    this.#due.set(key, due);
    this.#push({ due, key });
    if (this.#heap.length > 2 * this.#due.size + 64) this.#rebuild();
    this.#arm();
  }

  delete(key: string): void {
    this.#due.delete(key);
  }

  clear(): void {
    this.#due.clear();
    this.#heap = [];
    this.#disarm();
    this.#armedFor = Infinity;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (first === undefined || first.due >= this.#armedFor) return;
    this.#disarm();
    this.#armedFor = first.due;
    this.#disarm = this.#clock.after(Math.min(longestTimerMs, Math.max(0, first.due - this.#clock.now())), () =>
      this.#fire(),
    );
  }

  #fire(): void {
    this.#armedFor = Infinity;
    const now = this.#clock.now();
    for (let first = this.#heap[0]; first !== undefined && first.due <= now; first = this.#heap[0]) {
      this.#pop();
      if (this.#due.get(first.key) !== first.due) continue;
      this.#due.delete(first.key);
      this.#onDue(first.key);
    }
    this.#arm();
  }

  #rebuild(): void {
    const entries = [...this.#due].map(([key, due]) => ({ due, key }));
    // Sorted is a heap.
    this.#heap = entries.sort((a, b) => a.due - b.due);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.due <= entry.due) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && heap[child + 1]!.due < heap[child]!.due) child++;
      if (heap[child]!.due >= last.due) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
