import type { ResourceType } from "../../../api/kinds.ts";
import { describe, expect, it } from "vitest";
import { codeOf, CodedError } from "../../errors.ts";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import type { KubeClient } from "../client.ts";
import { runLeaderElection, type LeaderElectionOptions, type LeaseTimings } from "./leader.ts";
import { leases, type Lease, type LeaseSpec } from "./lease-lock.ts";
import { MemoryKube, type KubeRequest } from "../local/memory.ts";

const key = { namespace: "flux-system", name: "strata-leader-election" };
const timings: LeaseTimings = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 2000 };
const signal = new AbortController().signal;

interface Candidate {
  readonly stop: AbortController;
  /** What happened: `event@time`. */
  readonly log: string[];
  readonly problems: unknown[];
  readonly done: Promise<string>;
}

/** One that leads until it is told to stop, or has lost leadership. */
function candidate(clock: FakeClock, client: KubeClient, options: Partial<LeaderElectionOptions> = {}): Candidate {
  const stop = new AbortController();
  const [log, problems]: [string[], unknown[]] = [[], []];
  const onLeading = async (lost: AbortSignal): Promise<void> => {
    log.push(`leads@${clock.now()}`);
    const { promise, resolve } = Promise.withResolvers<void>();
    stop.signal.addEventListener("abort", () => resolve());
    lost.addEventListener("abort", () => {
      log.push(`lost@${clock.now()}`);
      resolve();
    });
    await promise;
  };
  const run = runLeaderElection({
    client,
    key,
    identity: "a",
    timings,
    onLeading,
    onProblem: (error) => problems.push(error),
    signal: stop.signal,
    clock,
    random: () => 0,
    ...options,
  });
  const done = run.then(
    () => "returned",
    (error: unknown) => codeOf(error),
  );
  return { stop, log, problems, done };
}

async function leaseOf(client: KubeClient): Promise<LeaseSpec | undefined> {
  return (await client.get<Lease>(leases, key, signal))?.spec;
}

const held = (spec: LeaseSpec): Lease => ({ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: key, spec });

/** Requests that hang until they are aborted, as on a broken network. */
async function hang(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(new CodedError("Aborted", "stopped")));
  });
}

/** A client whose writes hang while `isBroken` says so. */
function breakable(kube: MemoryKube, isBroken: () => boolean): KubeClient {
  return new Proxy<KubeClient>(kube, {
    get: (target, name: keyof KubeClient) => {
      const method = target[name].bind(target) as (...args: unknown[]) => unknown;
      return (...args: unknown[]) => (isBroken() ? hang(args.at(-1) as AbortSignal) : method(...args));
    },
  });
}

describe("a Lease", () => {
  it("is made as client-go makes it, renewed, and given up", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { stop, log, done } = candidate(clock, kube);
    await clock.advance(0);
    expect(log).toEqual(["leads@0"]);
    expect(await leaseOf(kube)).toEqual({
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: "2026-11-21T08:00:00.000000Z",
      renewTime: "2026-11-21T08:00:00.000000Z",
      leaseTransitions: 0,
    });
    await clock.advance(60_000);
    expect(await leaseOf(kube)).toMatchObject({
      acquireTime: "2026-11-21T08:00:00.000000Z",
      renewTime: "2026-11-21T08:01:00.000000Z",
    });
    stop.abort();
    expect(await done).toBe("returned");
    expect(await leaseOf(kube)).toEqual({
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: "2026-11-21T08:01:00.000000Z",
      renewTime: "2026-11-21T08:01:00.000000Z",
      leaseTransitions: 0,
    });
    expect(clock.pending).toBe(0);
  });

  it("is renewed with one request each time", async () => {
    const requests: string[] = [];
    const clock = new FakeClock();
    candidate(clock, new MemoryKube({ onRequest: ({ verb }) => void requests.push(verb) }));
    await clock.advance(6000);
    expect(requests).toEqual(["get", "create", "update", "update", "update"]);
  });

  it("is not given up where that is not wanted", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { stop, done } = candidate(clock, kube, { release: false });
    await clock.advance(0);
    stop.abort();
    expect(await done).toBe("returned");
    expect((await leaseOf(kube))?.holderIdentity).toBe("a");
  });

  it("keeps what it does not know", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    kube.put(leases, held({ holderIdentity: "", leaseTransitions: 4, preferredHolder: "x" } as LeaseSpec));
    candidate(clock, kube);
    await clock.advance(0);
    expect(await leaseOf(kube)).toMatchObject({ holderIdentity: "a", preferredHolder: "x", leaseTransitions: 5 });
  });
});

describe("waiting", () => {
  it.each<[string, LeaseSpec, number]>([
    ["for the duration that the Lease states", { holderIdentity: "b", leaseDurationSeconds: 30 }, 30_000],
    ["for its own where the Lease states none", { holderIdentity: "b" }, 15_000],
    [
      "however old the Lease claims to be",
      { holderIdentity: "b", leaseDurationSeconds: 15, renewTime: "2001-01-01T00:00:00.000000Z" },
      15_000,
    ],
    [
      "however far in the future it claims to be",
      { holderIdentity: "b", leaseDurationSeconds: 15, renewTime: "2101-01-01T00:00:00.000000Z" },
      15_000,
    ],
    ["not at all where nobody holds it", { holderIdentity: "", leaseDurationSeconds: 15 }, 0],
    ["not at all where it is its own", { holderIdentity: "a", leaseDurationSeconds: 15 }, 0],
  ])("%s", async (_, spec, expected) => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    kube.put(leases, held(spec));
    const { log } = candidate(clock, kube);
    await clock.advance(60_000);
    expect(log).toEqual([`leads@${expected}`]);
  });

  it("goes on while the holder lives, whatever its clock says", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { log } = candidate(clock, kube);
    for (let minute = 0; minute < 20; minute++) {
      kube.put(
        leases,
        held({ holderIdentity: "b", leaseDurationSeconds: 15, renewTime: `2026-11-21T07:${10 + minute}:00.000000Z` }),
      );
      await clock.advance(10_000);
      clock.setDate(new Date(minute % 2 === 0 ? "2030-01-01" : "2020-01-01"));
    }
    expect(log).toEqual([]);
    kube.put(leases, {
      ...held({ ...(await leaseOf(kube)) }),
      metadata: { ...key, labels: { touched: "by somebody" } },
    });
    await clock.advance(16_000);
    expect(log).toHaveLength(1);
  });

  it("goes on through failures, and ends with the signal", async () => {
    const clock = new FakeClock();
    const failing = new MemoryKube({
      onRequest: () => {
        throw new CodedError(clock.now() < 10_000 ? "KubeUnreachable" : "AccessDenied", "no");
      },
    });
    const { stop, log, problems, done } = candidate(clock, failing);
    await clock.advance(20_000);
    expect(problems.map(codeOf)).toEqual([
      ...Array<string>(5).fill("KubeUnreachable"),
      ...Array<string>(6).fill("AccessDenied"),
    ]);
    stop.abort();
    expect(await done).toBe("returned");
    expect(log).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("loses the race for a new Lease without harm", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const both = ["a", "b"].map((identity) => candidate(clock, kube, { identity }));
    await clock.advance(60_000);
    expect(both.reduce((sum, { log }) => sum + log.length, 0)).toBe(1);
    expect(both.flatMap(({ problems }) => problems)).toEqual([]);
  });

  it("takes over at once what is given up", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const first = candidate(clock, kube);
    await clock.advance(500);
    const second = candidate(clock, kube, { identity: "b" });
    await clock.advance(20_000);
    first.stop.abort();
    await clock.advance(2000);
    expect(second.log).toEqual(["leads@22500"]);
    expect(await leaseOf(kube)).toMatchObject({ holderIdentity: "b", leaseTransitions: 1, leaseDurationSeconds: 15 });
  });
});

describe("leading", () => {
  it.each<[string, (isBroken: () => boolean) => { kube: MemoryKube; client: KubeClient }]>([
    [
      "answers with errors",
      (isBroken) => {
        const kube = new MemoryKube();
        const failing = new Proxy<KubeClient>(kube, {
          get:
            (target, name: keyof KubeClient) =>
            async (...args: unknown[]) => {
              if (isBroken()) throw new CodedError("KubeUnreachable", "down");
              return await (target[name].bind(target) as (...args: unknown[]) => Promise<unknown>)(...args);
            },
        });
        return { kube, client: failing };
      },
    ],
    [
      "does not answer",
      (isBroken) => {
        const kube = new MemoryKube();
        return { kube, client: breakable(kube, isBroken) };
      },
    ],
  ])("ends before another can lead where the server %s", async (_, make) => {
    const clock = new FakeClock();
    const { kube, client } = make(() => clock.now() >= 30_500);
    const first = candidate(clock, client);
    await clock.advance(700);
    const second = candidate(clock, kube, { identity: "b", timings: { ...timings, retryPeriodMs: 50 } });
    await clock.advance(60_000);
    // Renewed at 30 s for the last time; 10 s and 15 s after that.
    expect(first.log).toEqual(["leads@0", "lost@40000"]);
    expect(await first.done).toBe("KubeUnreachable");
    expect(second.log).toEqual([expect.stringMatching(/^leads@450\d\d$/)]);
    expect((await leaseOf(kube))?.holderIdentity).toBe("b");
  });

  it("survives an outage that is shorter", async () => {
    const clock = new FakeClock();
    const { log, problems } = candidate(
      clock,
      breakable(new MemoryKube(), () => clock.now() > 30_000 && clock.now() < 37_000),
      { timings: { ...timings, renewDeadlineMs: 10_000 } },
    );
    await clock.advance(39_000);
    expect(log).toEqual(["leads@0"]);
    expect(problems).toEqual([]);
  });

  it("ends at once where somebody has taken the Lease", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { log, done } = candidate(clock, kube);
    await clock.advance(5000);
    kube.put(leases, held({ holderIdentity: "b", leaseDurationSeconds: 15 }));
    await clock.advance(1000);
    expect(log).toEqual(["leads@0", "lost@6000"]);
    expect(await done).toBe("KubeConflict");
    expect((await leaseOf(kube))?.holderIdentity).toBe("b");
  });

  it.each<[string, (kube: MemoryKube) => void]>([
    ["has been deleted", (kube) => kube.remove(leases, key)],
    [
      "has been labelled",
      (kube) =>
        void kube.put(leases, {
          ...held({ holderIdentity: "a", leaseDurationSeconds: 15 }),
          metadata: { ...key, labels: { a: "b" } },
        }),
    ],
    ["has been emptied", (kube) => void kube.put(leases, held({}))],
  ])("goes on with a Lease that %s", async (_, act) => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { log, problems } = candidate(clock, kube);
    await clock.advance(5000);
    act(kube);
    await clock.advance(30_000);
    expect(log).toEqual(["leads@0"]);
    expect((await leaseOf(kube))?.holderIdentity).toBe("a");
    expect(problems).toEqual([]);
  });

  it("goes on after an answer was lost on the way", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const forgetful = new Proxy<KubeClient>(kube, {
      get:
        (target, name: keyof KubeClient) =>
        async (...args: [ResourceType, ...unknown[]]) => {
          const answer = await (target[name].bind(target) as (...args: unknown[]) => Promise<unknown>)(...args);
          if (name === "update" && clock.now() === 4000) throw new CodedError("KubeUnreachable", "reset");
          return answer;
        },
    });
    const { log, problems } = candidate(clock, forgetful);
    await clock.advance(30_000);
    expect(log).toEqual(["leads@0"]);
    expect(problems.map(codeOf)).toEqual(["KubeUnreachable"]);
    expect(await leaseOf(kube)).toMatchObject({ renewTime: "2026-11-21T08:00:30.000000Z", leaseTransitions: 0 });
  });

  it("keeps the Lease until the work has ended, however long that takes", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const stop = new AbortController();
    const { done } = candidate(clock, kube, {
      signal: stop.signal,
      onLeading: async () =>
        await new Promise((resolve) => stop.signal.addEventListener("abort", () => clock.after(30_000, resolve))),
    });
    await clock.advance(1000);
    stop.abort();
    const second = candidate(clock, kube, { identity: "b" });
    await clock.advance(29_000);
    expect((await leaseOf(kube))?.holderIdentity).toBe("a");
    await clock.advance(4000);
    expect(await done).toBe("returned");
    expect(second.log).toEqual([expect.stringMatching(/^leads@3[1-3]000$/)]);
  });

  it("gives the Lease up where the work fails, and passes the failure on", async () => {
    const clock = new FakeClock();
    const kube = new MemoryKube();
    const { done } = candidate(clock, kube, {
      onLeading: async () => await Promise.reject(new CodedError("StorageFailed", "disk")),
    });
    await clock.advance(0);
    expect(await done).toBe("StorageFailed");
    expect((await leaseOf(kube))?.holderIdentity).toBe("");
  });

  it("gives up a Lease whose last renewal was cut off", async () => {
    const clock = new FakeClock();
    const seen: KubeRequest["verb"][] = [];
    const kube = new MemoryKube({ onRequest: ({ verb }) => void seen.push(verb) });
    let cut: AbortSignal | undefined;
    const slow = new Proxy<KubeClient>(kube, {
      get:
        (target, name: keyof KubeClient) =>
        async (...args: unknown[]) => {
          const answer = await (target[name].bind(target) as (...args: unknown[]) => Promise<unknown>)(...args);
          if (name !== "update" || clock.now() !== 2000 || cut !== undefined) return answer;
          cut = args.at(-1) as AbortSignal;
          return await hang(cut);
        },
    });
    const { stop, done, problems } = candidate(clock, slow);
    await clock.advance(2000);
    stop.abort();
    await settle();
    expect(await done).toBe("returned");
    expect(cut?.aborted).toBe(true);
    expect(seen.slice(-2)).toEqual(["get", "update"]);
    expect((await leaseOf(kube))?.holderIdentity).toBe("");
    expect(problems).toEqual([]);
  });

  it("does not wait for ever to give the Lease up", async () => {
    const clock = new FakeClock();
    const { stop, done, problems } = candidate(
      clock,
      breakable(new MemoryKube(), () => clock.now() >= 1000),
    );
    await clock.advance(1000);
    stop.abort();
    await clock.advance(10_000);
    expect(await done).toBe("returned");
    expect(problems.map(codeOf)).toEqual(["KubeUnreachable"]);
  });
});

describe("timings", () => {
  it.each([
    [{ ...timings, renewDeadlineMs: 15_000 }],
    [{ ...timings, retryPeriodMs: 9000 }],
    [{ ...timings, retryPeriodMs: 0 }],
    [{ ...timings, leaseDurationMs: Number.NaN }],
  ])("%j are refused", async (wrong) => {
    expect(await candidate(new FakeClock(), new MemoryKube(), { timings: wrong }).done).toBe("InvalidSpec");
  });
});
