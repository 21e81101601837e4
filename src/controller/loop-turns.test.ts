import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactRepositories } from "../../api/kinds.ts";
import { API_VERSION, KIND } from "../../api/v1beta1/constants.ts";
import { CodedError } from "../errors.ts";
import { MemoryKube } from "../kube/local/memory.ts";
import { FakeClock, settle } from "../testing/fake-clock.ts";
import { Caches } from "./caches.ts";
import type { ReconcileContext } from "./memory.ts";
import { startLoop, type Loop } from "./loop.ts";
import type { Deps, Next } from "./ports.ts";
import { capacity } from "./capacity.ts";

/** When an object has its turn, by a clock that stands still until it is told to go on: no I/O, no waiting. */

const second = 1000;
const backoff = { baseMs: second, maxMs: 60 * second };

let clock: FakeClock;
let kube: MemoryKube;
let loop: Loop;
let stopping: AbortController;
/** `name @seconds` of every turn that has begun. */
let turns: string[];
/** `name result milliseconds` of every turn that has ended. */
let results: string[];
let logged: string[];
/** What a turn of an object comes to. */
let work: (name: string, context: ReconcileContext) => Promise<Next> | Next;

const put = (name: string, spec: object = {}, metadata: { namespace?: string; labels?: Record<string, string> } = {}) =>
  kube.put(artifactRepositories, {
    apiVersion: API_VERSION,
    kind: KIND,
    metadata: { name, namespace: "default", ...metadata },
    spec,
  });

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube();
  stopping = new AbortController();
  [turns, results, logged] = [[], [], []];
  work = () => ({ kind: "forget" });
});
afterEach(async () => {
  stopping.abort();
  const stopped = loop.stop(0);
  await clock.advance(60 * second);
  await stopped;
});

async function start(concurrent = 1): Promise<void> {
  const log = (level: string, message: string): void => void logged.push(`${level} ${message}`);
  const caches = new Caches({ kube, namespace: undefined, labelSelector: undefined, log }, stopping.signal);
  await caches.synced;
  const store = { owners: () => Promise.resolve([]) };
  const deps = { kube, store, log, now: () => clock.date() } as unknown as Deps;
  loop = startLoop(caches, deps, {
    concurrent,
    backoff,
    clock,
    work: async ({ metadata: { name } }, context) => {
      turns.push(`${name} @${clock.now() / second}`);
      return await work(name, context);
    },
    onReconciled: ({ name }, result, milliseconds) => void results.push(`${name} ${result} ${milliseconds}`),
  });
  await settle();
}

/** Ends with the signal, as work does that waits for a registry. */
const hang = async ({ signal }: ReconcileContext): Promise<never> =>
  await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });

describe("the next turn", () => {
  const retry = (code: CodedError["code"], notBeforeMs = 0): Next => ({ kind: "retry", code, notBeforeMs });
  const never = new Promise<void>(() => undefined);
  it.each<[string, Next, number[]]>([
    ["after a success: its interval", { kind: "after", milliseconds: 600 * second }, [600, 1200]],
    ["after a failure: pauses that double, up to the longest", retry("NotFound"), [1, 3, 7, 15, 31, 63, 123, 183]],
    ["after a registry that wants to be left alone: not before", retry("RateLimited", 90 * second), [90, 180]],
    ["after an API server that is away: soon, however often", retry("KubeUnreachable"), [1, 3, 7, 15, 25, 35, 45]],
    ["after one that refuses while it starts: the same", retry("AccessDenied"), [1, 3, 7, 15, 25, 35, 45]],
    ["while another builds the same: at the latest then", { kind: "wait", until: never, milliseconds: 5000 }, [5, 10]],
    ["of what only an edit helps: none", { kind: "forget" }, []],
  ])("%s", async (_, next, expected) => {
    work = () => next;
    put("app");
    await start();
    await clock.advance(((expected.at(-1) ?? 1000) + 0.5) * second);
    expect(turns).toEqual([0, ...expected].map((at) => `app @${at}`));
  });

  it("is at once where what was waited for is there", async () => {
    const built = Promise.withResolvers<void>();
    work = () =>
      turns.length === 1 ? { kind: "wait", until: built.promise, milliseconds: 60 * second } : { kind: "forget" };
    put("app");
    await start();
    await clock.advance(7 * second);
    built.resolve();
    await clock.advance(600 * second);
    expect(turns).toEqual(["app @0", "app @7"]);
  });

  it("is the first try again once something has changed", async () => {
    work = () => retry("NotFound");
    put("app");
    await start();
    await clock.advance(8 * second);
    put("app", { url: "oci://registry.example/other" });
    await clock.advance(3 * second);
    expect(turns).toEqual(["app @0", "app @1", "app @3", "app @7", "app @8", "app @9", "app @11"]);
  });
});

describe("work that throws", () => {
  it.each([
    ["KubeUnreachable", "error", [0, 1, 3]],
    ["KubeRejected", "error", [0, 1, 3]],
    ["KubeConflict", "debug", [0, 1, 3]],
    ["NotFound", "debug", [0, 1, 3]],
    ["Aborted", undefined, [0]],
  ] as const)("%s is logged as %s, and tried again as it should be", async (code, level, at) => {
    work = () => {
      throw new CodedError(code, "so it is");
    };
    put("app");
    await start();
    await clock.advance(4 * second);
    expect(turns).toEqual(at.map((seconds) => `app @${seconds}`));
    expect(logged).toEqual(level === undefined ? [] : at.map(() => `${level} so it is`));
  });
});

describe("a change while work is under way", () => {
  it("of the spec stops it, and it begins anew at once", async () => {
    work = async (_, context) => (turns.length === 1 ? await hang(context) : { kind: "forget" });
    put("app");
    await start();
    put("app", { suspend: true });
    await settle();
    expect(turns).toEqual(["app @0", "app @0"]);
    expect(logged).toEqual([]);
  });

  it("of a label lets it end, and it runs once more", async () => {
    work = async () => {
      await new Promise<void>((resolve) => clock.after(2 * second, resolve));
      return { kind: "forget" };
    };
    put("app");
    await start();
    put("app", {}, { labels: { team: "a" } });
    await clock.advance(600 * second);
    expect(turns).toEqual(["app @0", "app @2"]);
    expect(results).toEqual(["app success 2000", "app success 2000"]);
  });

  it("that is the object's end stops it, and nothing is made of it any more", async () => {
    work = async (_, context) => await hang(context);
    put("app");
    await start();
    kube.remove(artifactRepositories, { name: "app", namespace: "default" });
    await clock.advance(second);
    expect(turns).toEqual(["app @0"]);
    expect(results).toEqual([]);
    expect(loop.queue.state()).toMatchObject({ running: 0, aside: 0, depth: 0 });
  });
});

describe("turns", () => {
  it("pass on to others while the work of one namespace hangs", async () => {
    work = async (name, context) => (name.startsWith("hanging") ? await hang(context) : { kind: "forget" });
    for (let at = 0; at < 30; at++) put(`hanging-${at}`, {}, { namespace: "hostile" });
    await start();
    expect(turns).toHaveLength(1);
    put("app");
    // The namespaces take turns: the second hanging one stood in the row already.
    await clock.advance(2 * capacity.asideAfterMs);
    expect(turns).toContain("app @2");
    // However long that goes on, half of the places stay free.
    await clock.advance(600 * second);
    expect(turns.filter((turn) => turn.startsWith("hanging"))).toHaveLength(capacity.underWay(1) / 2);
    put("another");
    await settle();
    expect(turns.at(-1)).toBe(`another @${clock.now() / second}`);
  });

  it("begin in another order each time", async () => {
    const names = Array.from({ length: 12 }, (_, at) => `app-${String(at).padStart(2, "0")}`);
    for (const name of names) put(name);
    await start();
    await clock.advance(second);
    const served = turns.map((turn) => turn.split(" ")[0]);
    expect(new Set(served)).toEqual(new Set(names));
    expect(served).not.toEqual(names);
  });

  it("are counted by how they end, with the time that they took", async () => {
    const outcomes: Readonly<Record<string, Next>> = {
      a: { kind: "after", milliseconds: 600 * second },
      b: { kind: "retry", code: "NotFound", notBeforeMs: 600 * second },
      c: { kind: "forget" },
    };
    work = async (name) => {
      await new Promise<void>((resolve) => clock.after(250, resolve));
      return outcomes[name]!;
    };
    for (const name of Object.keys(outcomes)) put(name);
    await start(3);
    await clock.advance(second);
    expect(results.toSorted()).toEqual(["a requeue_after 250", "b error 250", "c success 250"]);
  });
});

describe("stop", () => {
  it("lets work end in its time, and then aborts it", async () => {
    const ended: string[] = [];
    work = async (name, context) => {
      if (name === "hanging") await hang(context).finally(() => ended.push(`hanging @${clock.now() / second}`));
      await new Promise<void>((resolve) => clock.after(2 * second, resolve));
      ended.push(`${name} @${clock.now() / second}`);
      return { kind: "after", milliseconds: second };
    };
    put("hanging");
    put("slow");
    await start(2);
    const stopped = loop.stop(10 * second);
    put("late");
    await clock.advance(20 * second);
    expect(await stopped).toEqual([]);
    expect(ended).toEqual(["slow @2", "hanging @10"]);
    expect(turns.toSorted()).toEqual(["hanging @0", "slow @0"]);
  });

  it("names what does not stop even then", async () => {
    work = async () => await new Promise(() => undefined);
    put("stuck");
    await start();
    const stopped = loop.stop(second);
    await clock.advance(60 * second);
    expect(await stopped).toEqual(["default/stuck"]);
  });
});
