import { describe, expect, it } from "vitest";
import { CodedError } from "../../errors.ts";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import { Queue, type QueueEvent, type QueueOptions } from "./queue.ts";

interface Bench {
  readonly clock: FakeClock;
  readonly queue: Queue;
  /** What happened: `key@time`. */
  readonly started: string[];
  readonly events: QueueEvent[];
  readonly errors: string[];
  /** Ends the work on a key, with an error or without. */
  readonly finish: (key: string, error?: Error) => Promise<void>;
}

/** Work goes on until it is finished by hand, unless `process` is given. */
function bench(options: Partial<QueueOptions> & { readonly unstarted?: boolean } = {}): Bench {
  const clock = new FakeClock();
  const open = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  const [started, events, errors]: [string[], QueueEvent[], string[]] = [[], [], []];
  const queue = new Queue({
    concurrent: 4,
    backoff: { baseMs: 100, maxMs: 1000 },
    clock,
    onEvent: (event) => events.push(event),
    onError: (key, error) => errors.push(`${key}: ${String(error)}`),
    ...options,
    process: async (key, turn) => {
      started.push(`${key}@${clock.now()}`);
      if (options.process !== undefined) return await options.process(key, turn);
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      open.set(key, { resolve, reject });
      turn.signal.addEventListener("abort", () => reject(new Error("aborted")));
      await promise;
    },
  });
  if (options.unstarted !== true) queue.start();
  const finish = async (key: string, error?: Error): Promise<void> => {
    const { resolve, reject } = open.get(key)!;
    if (error === undefined) resolve();
    else reject(error);
    await settle();
  };
  return { clock, queue, started, events, errors, finish };
}

const noop = async (): Promise<void> => {};

describe("add", () => {
  it("makes many equal keys one", async () => {
    const { queue, started, finish, events } = bench();
    for (let i = 0; i < 5; i++) queue.add("a");
    await settle();
    expect(started).toEqual(["a@0"]);
    await finish("a");
    expect(started).toEqual(["a@0"]);
    expect(events).toEqual([{ type: "added" }, { type: "started", waitedMs: 0 }, { type: "finished", workedMs: 0 }]);
  });

  it("runs a key again that is added while it runs, but never twice at once", async () => {
    const { queue, started, finish } = bench();
    queue.add("a");
    await settle();
    for (let i = 0; i < 5; i++) queue.add("a");
    await settle();
    expect(started).toEqual(["a@0"]);
    await finish("a");
    expect(started).toEqual(["a@0", "a@0"]);
    await finish("a");
    expect(started).toHaveLength(2);
    expect(queue.state()).toMatchObject({ depth: 0, running: 0 });
  });

  it("runs a key again that its own work adds at once, but never twice at once", async () => {
    let [now, most] = [0, 0];
    const { queue, started } = bench({
      process: async (key) => {
        most = Math.max(most, ++now);
        if (started.length < 3) queue.add(key);
        await settle();
        now--;
      },
    });
    queue.add("a");
    for (let turn = 0; turn < 5; turn++) await settle();
    expect(started).toEqual(["a@0", "a@0", "a@0"]);
    expect(most).toBe(1);
  });

  it("serves in order, with no more workers than allowed", async () => {
    const { queue, started, finish, clock, events } = bench({ concurrent: 2 });
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    await clock.advance(50);
    expect(started).toEqual(["a@0", "b@0"]);
    expect(queue.state()).toEqual({
      depth: 2,
      scheduled: 0,
      running: 2,
      aside: 0,
      unfinishedMs: 100,
      longestRunningMs: 50,
    });
    // One that never ends takes one worker, not the queue.
    queue.add("b");
    for (const key of ["b", "c", "d"]) await finish(key);
    expect(started).toEqual(["a@0", "b@0", "c@50", "d@50", "b@50"]);
    expect(
      events.filter(({ type }) => type === "started").map((event) => "waitedMs" in event && event.waitedMs),
    ).toEqual([0, 0, 50, 50, 0]);
  });

  it("does nothing before the start", async () => {
    const { queue, started } = bench({ unstarted: true });
    queue.add("a");
    await settle();
    expect(started).toEqual([]);
    queue.start();
    await settle();
    expect(started).toEqual(["a@0"]);
  });
});

describe("groups", () => {
  const groupOf = (key: string): string => key.split("/")[0]!;
  const many = (group: string, count: number): string[] => Array.from({ length: count }, (_, at) => `${group}/${at}`);

  it("take turns, however much one has waiting", async () => {
    const { queue, started, finish } = bench({ concurrent: 1, groupOf });
    for (const key of [...many("a", 1000), "b/0", "c/0"]) queue.add(key);
    await settle();
    for (const key of ["a/0", "b/0", "c/0"]) await finish(key);
    expect(started).toEqual(["a/0@0", "b/0@0", "c/0@0", "a/1@0"]);
  });

  it("never hold all the workers with work that hangs", async () => {
    const { queue, started, clock } = bench({ concurrent: 4, groupOf, asideAfterMs: 1000, most: 16 });
    for (const key of many("hostile", 1000)) queue.add(key);
    await clock.advance(10_000);
    expect(started).toHaveLength(8);
    expect(queue.state()).toMatchObject({ running: 0, aside: 8, depth: 992 });
    for (const key of many("good", 4)) queue.add(key);
    await settle();
    expect(started.slice(8)).toEqual(many("good", 4).map((key) => `${key}@10000`));
  });

  it.each([1, 2, 4])("hang in many namespaces, and %i workers still serve a new one at once", async (concurrent) => {
    const { queue, started, clock } = bench({
      concurrent,
      groupOf,
      asideAfterMs: 1000,
      most: Math.max(8, 4 * concurrent),
    });
    for (let group = 0; group < 5; group++) for (const key of many(`hostile-${group}`, 100)) queue.add(key);
    await clock.advance(20_000);
    queue.add("good/0");
    await settle();
    expect(started.at(-1)).toBe("good/0@20000");
  });

  it("serve what somebody has just asked for before what is routine", async () => {
    const { queue, started, finish } = bench({ concurrent: 1, groupOf });
    for (const key of many("a", 100)) queue.add(key);
    await settle();
    queue.add("a/50", true);
    await finish("a/0");
    expect(started).toEqual(["a/0@0", "a/50@0"]);
  });
});

describe("a worker", () => {
  it("is given back by work that steps aside, once", async () => {
    const ends = new Map<string, () => void>();
    const { queue, started, clock, finish } = bench({
      concurrent: 1,
      asideAfterMs: 1000,
      process: async (key, { stepAside }) => {
        stepAside();
        stepAside();
        await new Promise<void>((resolve) => ends.set(key, resolve));
      },
    });
    for (const key of ["a", "b"]) queue.add(key);
    await clock.advance(2000);
    expect(started).toEqual(["a@0", "b@0"]);
    expect(queue.state()).toMatchObject({ running: 0, aside: 2 });
    for (const end of ends.values()) end();
    await settle();
    expect(queue.state()).toMatchObject({ running: 0, aside: 0 });
    expect(clock.pending).toBe(0);
    expect(finish).toBeDefined();
  });
});

describe("interrupt", () => {
  const reason = new CodedError("Aborted", "edited");

  it("aborts what runs, which runs again ahead of others once it has stopped", async () => {
    const { queue, started, clock, finish, errors, events } = bench({ concurrent: 1 });
    for (const key of ["a", "b", "c"]) queue.add(key);
    await settle();
    queue.interrupt("a", reason);
    await settle();
    expect(errors).toEqual([]);
    expect(started).toEqual(["a@0", "a@0"]);
    expect(events.filter(({ type }) => type === "retried")).toEqual([]);
    for (const key of ["a", "b", "c"]) await finish(key);
    await clock.advance(10_000);
    expect(started).toEqual(["a@0", "a@0", "b@0", "c@0"]);
  });

  it("waits for work that takes its time to stop, and never runs it twice at once", async () => {
    const end = Promise.withResolvers<void>();
    const { queue, started, clock } = bench({
      process: async () => await (started.length === 1 ? end.promise : Promise.resolve()),
    });
    queue.add("a");
    await settle();
    queue.interrupt("a", reason);
    await clock.advance(1000);
    expect(started).toEqual(["a@0"]);
    end.resolve();
    await settle();
    expect(started).toEqual(["a@0", "a@1000"]);
  });

  it("is nothing to a key that does not run", async () => {
    const { queue, started } = bench();
    queue.interrupt("a", reason);
    await settle();
    expect(started).toEqual([]);
  });
});

describe("what was asked for while a key waited", () => {
  it("counts as asked for then", async () => {
    const asked: number[] = [];
    const { queue, clock, events } = bench({
      concurrent: 1,
      process: async (key, { addedAt }) => {
        asked.push(addedAt);
        if (key === "a") await new Promise<void>((resolve) => clock.after(500, resolve));
      },
    });
    queue.add("a");
    queue.add("b");
    await clock.advance(300);
    queue.add("b");
    await clock.advance(300);
    expect(asked).toEqual([0, 300]);
    expect(events).toContainEqual({ type: "started", waitedMs: 500 });
  });
});

describe("addAfter", () => {
  it.each<[string, (queue: Queue) => void, string[]]>([
    ["waits", (queue) => queue.addAfter("a", 500), ["a@500"]],
    ["takes the earliest", (queue) => [500, 200, 900].forEach((time) => queue.addAfter("a", time)), ["a@200"]],
    [
      "is void once the key is processed",
      (queue) => {
        queue.addAfter("a", 500);
        queue.add("a");
      },
      ["a@0"],
    ],
    [
      "is void while the key waits",
      (queue) => {
        queue.add("a");
        queue.addAfter("a", 500);
      },
      ["a@0"],
    ],
  ])("%s", async (_, act, expected) => {
    const { queue, started, clock } = bench({ process: noop });
    act(queue);
    await clock.advance(2000);
    expect(started).toEqual(expected);
  });

  it("holds while the key runs", async () => {
    const { queue, started, clock, finish } = bench();
    queue.add("a");
    await settle();
    queue.addAfter("a", 100);
    await clock.advance(300);
    expect(started).toEqual(["a@0"]);
    await finish("a");
    expect(started).toEqual(["a@0", "a@300"]);
  });
});

describe("retry", () => {
  it("waits twice as long each time, up to the longest pause, until it is forgotten", async () => {
    const { queue, started, clock, events } = bench({
      process: async (key) => {
        if (started.length === 7) queue.forget(key);
        queue.retry(key);
      },
    });
    queue.add("a");
    await clock.advance(4200);
    expect(started).toEqual([
      "a@0",
      "a@100",
      "a@300",
      "a@700",
      "a@1500",
      "a@2500",
      "a@3500",
      "a@3600",
      "a@3800",
      "a@4200",
    ]);
    expect(queue.retries("a")).toBe(4);
    expect(events.filter(({ type }) => type === "retried")).toHaveLength(10);
  });

  it.each([
    ["no sooner than the server asks", 5000, ["a@5000"]],
    ["no sooner than its own pause", 10, ["a@100"]],
  ])("%s", async (_, minMs, expected) => {
    const { queue, started, clock } = bench({ process: noop });
    queue.retry("a", minMs);
    await clock.advance(10_000);
    expect(started).toEqual(expected);
  });

  it("waits no longer than it is told to", async () => {
    const { queue, started, clock } = bench({ process: async (key) => queue.retry(key, 0, 150) });
    queue.add("a");
    await clock.advance(600);
    expect(started).toEqual(["a@0", "a@100", "a@250", "a@400", "a@550"]);
  });

  it("counts each key for itself, however often", () => {
    const { queue } = bench();
    for (let i = 0; i < 3000; i++) queue.retry("a");
    queue.retry("b");
    expect([queue.retries("a"), queue.retries("b"), queue.retries("c")]).toEqual([3000, 1, 0]);
    expect(queue.state().scheduled).toBe(2);
  });

  it("follows what the work throws", async () => {
    const { queue, started, clock, errors } = bench({
      process: async () => {
        if (started.length < 3) throw new Error("no");
      },
    });
    queue.add("a");
    await clock.advance(5000);
    expect(started).toEqual(["a@0", "a@100", "a@300"]);
    expect(errors).toEqual(["a: Error: no", "a: Error: no"]);
  });
});

describe("stop", () => {
  it("starts nothing more and waits for what runs", async () => {
    const { queue, started, clock, finish, errors } = bench({ concurrent: 1 });
    queue.add("a");
    queue.add("b");
    queue.addAfter("c", 10);
    await settle();
    let left: readonly string[] | undefined;
    void queue.stop(1000).then((keys) => (left = keys));
    queue.add("a");
    queue.add("d");
    queue.addAfter("e", 10);
    queue.retry("f");
    await clock.advance(500);
    expect(left).toBeUndefined();
    await finish("a");
    expect(left).toEqual([]);
    expect(started).toEqual(["a@0"]);
    expect(errors).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("aborts what takes too long", async () => {
    const { queue, clock, errors, started } = bench();
    queue.add("a");
    await settle();
    const stopped = queue.stop(1000);
    await clock.advance(999);
    expect(errors).toEqual([]);
    await clock.advance(1);
    expect(await stopped).toEqual([]);
    expect(errors).toEqual(["a: Error: aborted"]);
    await clock.advance(10_000);
    expect(started).toEqual(["a@0"]);
  });

  it("leaves behind what does not even stop then", async () => {
    const { queue, clock } = bench({ process: async () => await new Promise(() => {}) });
    queue.add("a");
    await settle();
    const stopped = queue.stop(1000);
    await clock.advance(6000);
    expect(await stopped).toEqual(["a"]);
  });
});

describe("load", () => {
  it("serves 5,000 keys again and again, fairly, with one timer", async () => {
    const runs = new Map<string, number>();
    let [most, now] = [0, 0];
    const { queue, clock } = bench({
      concurrent: 8,
      process: async (key) => {
        most = Math.max(most, ++now);
        await Promise.resolve();
        now--;
        runs.set(key, (runs.get(key) ?? 0) + 1);
        queue.addAfter(key, 60_000);
      },
    });
    for (let i = 0; i < 5000; i++) queue.add(`apps/object-${i}`);
    for (let waited = 0; runs.size < 5000 && waited < 1000; waited++) await settle();
    expect(clock.pending).toBe(1);
    await clock.advance(60_000);
    for (let waited = 0; queue.state().depth > 0 && waited < 1000; waited++) await settle();
    expect(new Set(runs.values())).toEqual(new Set([2]));
    expect(most).toBe(8);
    expect(queue.state()).toMatchObject({ depth: 0, running: 0, scheduled: 5000 });
  });
});
