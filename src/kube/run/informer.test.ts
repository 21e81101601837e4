import type { ResourceType } from "../../../api/kinds.ts";
import { afterEach, describe, expect, it, vi } from "vitest";
import { informerDefaults } from "../../config.ts";
import { codeOf, CodedError } from "../../errors.ts";
import { FakeClock, settle } from "../../testing/fake-clock.ts";
import { connectTo } from "../../testing/kube/client.ts";
import { startKubeServer } from "../../testing/kube/server.ts";
import type { KubeClient, KubeObject } from "../client.ts";
import { type Informer, type InformerOptions, startInformer } from "./informer.ts";
import { type KubeRequest, MemoryKube, type MemoryKubeOptions } from "../local/memory.ts";

type Widget = KubeObject & { readonly spec?: { readonly size?: number; readonly text?: string } };
const widgets: ResourceType = { group: "example.dev", version: "v1", plural: "widgets", kind: "Widget" };
const key = (name: string): { namespace: string; name: string } => ({ namespace: "apps", name });
const widget = (name: string, size = 1, labels: Record<string, string> = {}): Widget => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { ...key(name), labels },
  spec: { size },
});
const down = (): CodedError => new CodedError("KubeUnreachable", "down");

interface Setup {
  readonly kube: MemoryKube;
  readonly clock: FakeClock;
  readonly informer: Informer<Widget>;
  /** What was told, such as `added one 1`. */
  readonly told: string[];
  readonly errors: string[];
  /** What was asked, such as `list` and `watch`. */
  readonly asked: string[];
  readonly stop: () => void;
  /** The kinds that are served. */
  readonly kinds: ResourceType[];
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  vi.restoreAllMocks();
});

type Options = Partial<InformerOptions<Widget>> & {
  readonly onRequest?: MemoryKubeOptions["onRequest"];
  readonly seed?: readonly Widget[];
  readonly kinds?: ResourceType[];
};

async function setup({ onRequest, seed = [], kinds = [widgets], ...options }: Options = {}): Promise<Setup> {
  const clock = new FakeClock();
  const [told, errors, asked]: string[][] = [[], [], []];
  const kube = new MemoryKube({
    kinds,
    onRequest: async (request: KubeRequest) => {
      asked!.push(request.verb);
      await onRequest?.(request);
    },
  });
  for (const object of seed) kube.put(widgets, object);
  const controller = new AbortController();
  stops.push(() => controller.abort());
  const informer = startInformer<Widget>(
    kube,
    widgets,
    {
      ...informerDefaults,
      maxBackoffMs: 30_000,
      clock,
      onChange: (kind, object, old) =>
        told!.push(`${kind} ${object.metadata.name} ${old?.spec?.size ?? "-"}>${object.spec?.size ?? "-"}`),
      onError: (error) => errors!.push(error.code),
      ...options,
    },
    controller.signal,
  );
  await settle();
  return { kube, clock, informer, told: told!, errors: errors!, asked: asked!, stop: () => controller.abort(), kinds };
}

describe("an informer", () => {
  it("has what is there, and what comes", async () => {
    const { kube, informer, told, asked, errors } = await setup({ seed: [widget("one"), widget("two")] });
    await informer.synced;
    expect([informer.available, informer.size]).toEqual([true, 2]);
    kube.put(widgets, widget("three"));
    kube.put(widgets, widget("one", 2));
    kube.remove(widgets, key("two"));
    await settle();
    expect(told).toEqual(["added one ->1", "added two ->1", "added three ->1", "modified one 1>2", "deleted two 1>1"]);
    expect(informer.get(key("one"))?.spec).toEqual({ size: 2 });
    expect(informer.get(key("two"))).toBeUndefined();
    expect(informer.list().map(({ metadata }) => metadata.name)).toEqual(["one", "three"]);
    expect([asked, errors]).toEqual([["list", "watch"], []]);
  });

  it("keeps to its namespace and labels, and makes objects smaller", async () => {
    const options = {
      namespace: "apps",
      labelSelector: "shard=a",
      transform: ({ apiVersion, kind, metadata }: Widget): Widget => ({ apiVersion, kind, metadata }),
    };
    const { kube, informer, told } = await setup({
      ...options,
      seed: [widget("one", 1, { shard: "a" }), widget("two")],
    });
    expect(told).toEqual(["added one ->-"]);
    kube.put(widgets, widget("one", 1, { shard: "b" }));
    kube.put(widgets, widget("two", 1, { shard: "a" }));
    await settle();
    expect(told.slice(1)).toEqual(["deleted one ->-", "added two ->-"]);
    expect(informer.list()).toEqual([expect.not.objectContaining({ spec: expect.anything() })]);
  });

  it("goes on where the server ends a watch", async () => {
    const { kube, clock, told, asked, errors } = await setup();
    kube.endWatches();
    kube.put(widgets, widget("one"));
    await clock.advance(0);
    expect([told, asked, errors]).toEqual([["added one ->1"], ["list", "watch", "watch"], []]);
  });

  it("does not hurry where the server ends every watch at once", async () => {
    let watches = 0;
    const { kube, clock, asked } = await setup({
      onRequest: ({ verb }) => void (verb === "watch" && watches++ > 0 && setImmediate(() => kube.endWatches())),
    });
    kube.endWatches();
    await clock.advance(300_000);
    const perMinute = asked.length / 5;
    expect(perMinute).toBeGreaterThan(1.5);
    expect(perMinute).toBeLessThan(8);
  });

  it("tells at the next list what it has missed", async () => {
    let isDown = false;
    const { kube, clock, informer, told, asked, errors } = await setup({
      seed: [widget("changed"), widget("gone"), widget("remade"), widget("same")],
      onRequest: () => {
        if (isDown) throw down();
      },
    });
    told.length = 0;
    isDown = true;
    kube.endWatches();
    await clock.advance(5000);
    expect(informer.size).toBe(4);
    expect(errors.length).toBeGreaterThanOrEqual(1);
    kube.put(widgets, widget("changed", 2));
    for (const name of ["gone", "remade"]) kube.remove(widgets, key(name));
    kube.put(widgets, widget("remade", 3));
    kube.put(widgets, widget("new"));
    kube.compact();
    isDown = false;
    asked.length = 0;
    await clock.advance(60_000);
    expect(told.toSorted()).toEqual([
      "added new ->1",
      "added remade ->3",
      "deleted gone 1>1",
      "deleted remade 1>1",
      "modified changed 1>2",
    ]);
    expect(told.indexOf("deleted remade 1>1")).toBeLessThan(told.indexOf("added remade ->3"));
    expect(asked.at(-1)).toBe("watch");
    expect(informer.size).toBe(4);
  });

  it("takes 410 for no failure", async () => {
    const { kube, clock, told, asked, errors } = await setup({ seed: [widget("one")] });
    kube.put(widgets, widget("two"));
    kube.compact();
    await clock.advance(0);
    expect([told, asked, errors]).toEqual([["added one ->1", "added two ->1"], ["list", "watch", "list", "watch"], []]);
  });

  it("backs off, further every time, with jitter and up to a limit", async () => {
    const times: number[] = [];
    const clock = new FakeClock();
    await setup({
      clock,
      onRequest: () => {
        times.push(clock.now());
        throw down();
      },
    });
    await clock.advance(300_000);
    const pauses = times.slice(1).map((time, i) => time - times[i]!);
    expect(pauses[0]).toBeGreaterThanOrEqual(1000);
    expect(pauses[0]).toBeLessThanOrEqual(2000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(30_000);
    expect(Math.min(...pauses.slice(5))).toBeGreaterThanOrEqual(15_000);
    expect(new Set(pauses).size).toBeGreaterThan(5);
  });

  it("waits as long as the server asks", async () => {
    const clock = new FakeClock();
    const times: number[] = [];
    await setup({
      clock,
      onRequest: () => {
        times.push(clock.now());
        throw new CodedError("KubeUnreachable", "busy", { retryAfterMs: 120_000 });
      },
    });
    await clock.advance(119_000);
    expect(times).toHaveLength(1);
    await clock.advance(1000);
    expect(times).toHaveLength(2);
  });

  it("lists anew where a version cannot be watched", async () => {
    const { clock, asked, errors } = await setup({
      onRequest: ({ verb }) => {
        if (verb === "watch") throw down();
      },
    });
    await clock.advance(30_000);
    expect(asked.filter((verb) => verb === "list").length).toBeGreaterThan(1);
    expect(new Set(errors)).toEqual(new Set(["KubeUnreachable"]));
  });

  it("starts with short pauses again after a watch that lasted", async () => {
    let failing = 0;
    const { kube, clock, asked } = await setup({
      onRequest: () => {
        if (failing-- > 0) throw down();
      },
    });
    for (let round = 0; round < 3; round++) {
      await clock.advance(60_000);
      failing = 2;
      asked.length = 0;
      kube.endWatches();
      await clock.advance(8000);
      expect(asked.slice(0, 3)).toEqual(["watch", "watch", "watch"]);
    }
  });

  it.each(["AccessDenied", "Internal"])("goes on after %s", async (code) => {
    let failing = true;
    const { clock, informer, errors } = await setup({
      seed: [widget("one")],
      onRequest: () => {
        if (failing) throw code === "Internal" ? new TypeError("a defect") : new CodedError("AccessDenied", "no");
      },
    });
    await clock.advance(1);
    expect(errors).toEqual([code]);
    failing = false;
    await clock.advance(2000);
    expect(informer.size).toBe(1);
  });

  it("survives callbacks that throw", async () => {
    const reported: string[] = [];
    const { kube, informer, asked } = await setup({
      seed: [widget("one")],
      onChange: () => {
        throw new TypeError("a defect");
      },
      onError: ({ code }) => {
        reported.push(code);
        throw new TypeError("another defect");
      },
    });
    kube.put(widgets, widget("two"));
    await settle();
    expect([reported, informer.size, asked]).toEqual([["Internal", "Internal"], 2, ["list", "watch"]]);
  });

  it("does not mind a clock that is set back or forth", async () => {
    const { kube, clock, told, errors } = await setup();
    clock.setDate(new Date("2000-01-01T00:00:00Z"));
    kube.endWatches();
    await clock.advance(1000);
    clock.setDate(new Date("2100-01-01T00:00:00Z"));
    kube.put(widgets, widget("one"));
    await clock.advance(1000);
    expect([told, errors]).toEqual([["added one ->1"], []]);
  });

  it("stops with its signal", async () => {
    const { kube, clock, informer, told, stop } = await setup();
    stop();
    await informer.stopped;
    kube.put(widgets, widget("one"));
    await clock.advance(60_000);
    expect(told).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it("says so where it is stopped before the first list, be it in a pause", async () => {
    const { informer, stop, clock } = await setup({
      onRequest: () => {
        throw down();
      },
    });
    await clock.advance(500);
    stop();
    expect(await informer.synced.then(() => "synced", codeOf)).toBe("Aborted");
    await informer.stopped;
    expect(clock.pending).toBe(0);
  });
});

describe("a kind that is missing", () => {
  it("is looked for now and then", async () => {
    const { kube, clock, informer, told, asked, errors, kinds } = await setup({ kinds: [] });
    await informer.synced;
    expect([informer.available, informer.size, asked, errors]).toEqual([false, 0, ["list"], []]);
    await clock.advance(29_000);
    expect(asked).toHaveLength(1);
    kinds.push(widgets);
    kube.put(widgets, widget("one"));
    await clock.advance(1000);
    expect([informer.available, told, asked]).toEqual([true, ["added one ->1"], ["list", "list", "watch"]]);
  });

  it("takes its objects with it, once that is certain", async () => {
    const { kube, clock, informer, told, kinds } = await setup({ seed: [widget("one")] });
    kinds.pop();
    kube.endWatches();
    await clock.advance(1000);
    expect([informer.available, informer.size]).toEqual([false, 1]);
    await clock.advance(30_000);
    expect([informer.size, told.at(-1)]).toEqual([0, "deleted one 1>1"]);
  });
});

describe("over HTTP", () => {
  async function eventually(condition: () => boolean): Promise<void> {
    await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 5000, interval: 5 });
  }
  const tuning = { minBackoffMs: 5, maxBackoffMs: 50, missingPollMs: 20 };

  it.each<[string, { status?: number; reset?: boolean; body?: string }]>([
    ["server errors", { status: 500, body: "" }],
    ["resets", { reset: true }],
    ["410", { status: 410, body: "{}" }],
    ["rubbish", { status: 200, body: "rubbish\n" }],
    ["missing kinds", { status: 404, body: "" }],
    ["refusals", { status: 403, body: "" }],
  ])("survives %s at any time", async (_, fault) => {
    await using server = await startKubeServer({ kinds: [widgets], bookmarkMs: 20 });
    await using connection = await connectTo(server);
    const stop = new AbortController();
    stops.push(() => stop.abort());
    const seen = new Map<string, number>();
    const informer = startInformer<Widget>(
      connection.client,
      widgets,
      {
        ...tuning,
        onChange: (kind, { metadata, spec }) =>
          kind === "deleted" ? seen.delete(metadata.name) : seen.set(metadata.name, spec?.size ?? 0),
      },
      stop.signal,
    );
    await informer.synced;
    for (let round = 1; round <= 8; round++) {
      if (round % 3 === 0) server.store.compact();
      server.faults.add({ ...fault, after: round % 2 });
      server.dropConnections();
      for (let i = 0; i < 5; i++) server.store.put(widgets, widget(`w${i}`, round * 10 + i));
      server.store.remove(widgets, key(`w${round % 5}`));
      await eventually(
        () => seen.size === 4 && [...seen].every(([name, size]) => size === round * 10 + Number(name.slice(1))),
      );
    }
    expect(
      informer
        .list()
        .map(({ metadata }) => metadata.name)
        .toSorted(),
    ).toEqual([...seen.keys()].toSorted());
    stop.abort();
    await informer.stopped;
  });

  it("survives a restart, and goes on from the last bookmark", async () => {
    await using server = await startKubeServer({ kinds: [widgets], bookmarkMs: 10 });
    await using connection = await connectTo(server);
    const stop = new AbortController();
    stops.push(() => stop.abort());
    const kube: KubeClient = connection.client;
    const informer = startInformer<Widget>(kube, widgets, { ...tuning, labelSelector: "mine" }, stop.signal);
    await informer.synced;
    for (let size = 0; size < 50; size++) server.store.put(widgets, widget("other", size));
    await new Promise((done) => setTimeout(done, 50));
    await server.stop();
    server.store.compact();
    server.store.put(widgets, widget("one", 1, { mine: "" }));
    const before = server.requests.length;
    await server.start();
    await eventually(() => informer.size === 1);
    expect(
      server.requests.slice(before).map(({ path }) => new URL(path, server.url).searchParams.get("watch")),
    ).toEqual(["true"]);
    stop.abort();
    await informer.stopped;
  });
});
