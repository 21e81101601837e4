import type { ResourceType } from "../../../api/kinds.ts";
import { describe, expect, it } from "vitest";
import { CodedError } from "../../errors.ts";
import type { KubeObject, ObjectMeta, WatchEvent } from "../client.ts";
import { MemoryKube, type KubeRequest } from "./memory.ts";

const widgets: ResourceType = { group: "example.dev", version: "v1", plural: "widgets", kind: "Widget" };
const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret" };
const accounts: ResourceType = { group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount" };
const key = { namespace: "apps", name: "one" };
const signal = new AbortController().signal;
const manager = { fieldManager: "test" };
const force = { ...manager, force: true };

interface Widget extends KubeObject {
  readonly spec?: Readonly<Record<string, unknown>>;
  readonly status?: Readonly<Record<string, unknown>>;
}

const widget = (fields: Partial<Omit<Widget, "metadata">> & { metadata?: Partial<ObjectMeta> } = {}): Widget => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  spec: { size: 1 },
  ...fields,
  metadata: { ...key, ...fields.metadata },
});

async function codeOfRejection(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof CodedError ? error.code : `not coded: ${String(error)}`;
  }
  return "resolved";
}

async function seeded(
  fields: Parameters<typeof widget>[0] = {},
  now?: () => Date,
): Promise<{ kube: MemoryKube; first: Widget }> {
  const kube = new MemoryKube(now === undefined ? {} : { now });
  return { kube, first: await kube.create(widgets, widget(fields), signal) };
}

describe("create", () => {
  it("sets what only the server sets, and drops the status", async () => {
    const { kube, first } = await seeded(
      { status: { ready: true }, metadata: { deletionTimestamp: "2020-01-01T00:00:00Z" } },
      () => new Date("2026-11-21T08:00:00.123Z"),
    );
    expect(first).toEqual({
      ...widget(),
      metadata: {
        ...key,
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        resourceVersion: "1",
        generation: 1,
        creationTimestamp: "2026-11-21T08:00:00Z",
      },
    });
    expect(await kube.get(widgets, key, signal)).toBe(first);
    expect(Object.isFrozen(first.spec)).toBe(true);
  });

  it("keeps what the caller goes on changing apart", async () => {
    const kube = new MemoryKube();
    const spec = { size: 1 };
    await kube.create(widgets, widget({ spec }), signal);
    spec.size = 2;
    expect((await kube.get<Widget>(widgets, key, signal))?.spec).toEqual({ size: 1 });
  });

  it.each<[string, Widget, string]>([
    ["a name that is taken", widget(), "KubeConflict"],
    ["a resource version", widget({ metadata: { name: "two", resourceVersion: "1" } }), "KubeRejected"],
    ["another kind", { ...widget({ metadata: { name: "two" } }), kind: "Gadget" }, "KubeRejected"],
    ["another version", { ...widget({ metadata: { name: "two" } }), apiVersion: "example.dev/v2" }, "KubeRejected"],
    ["a path as its name", widget({ metadata: { name: "../two" } }), "KubeRejected"],
    ["a path as its namespace", widget({ metadata: { namespace: ".." } }), "KubeRejected"],
    ["a name too long", widget({ metadata: { name: "a".repeat(254) } }), "KubeRejected"],
  ])("refuses %s", async (_, object, code) => {
    const { kube } = await seeded();
    expect(await codeOfRejection(kube.create(widgets, object, signal))).toBe(code);
  });
});

describe("writes", () => {
  it.each<
    [string, object, "status" | undefined, { generation: number; version: string; spec: object; status: unknown }]
  >([
    [
      "the spec",
      { spec: { size: 2 } },
      undefined,
      { generation: 2, version: "2", spec: { size: 2 }, status: undefined },
    ],
    [
      "the spec with what it was",
      { spec: { size: 1 } },
      undefined,
      { generation: 1, version: "1", spec: { size: 1 }, status: undefined },
    ],
    [
      "labels",
      { metadata: { labels: { a: "b" } } },
      undefined,
      { generation: 1, version: "2", spec: { size: 1 }, status: undefined },
    ],
    [
      "the status beside the spec",
      { status: { ready: true } },
      undefined,
      { generation: 1, version: "1", spec: { size: 1 }, status: undefined },
    ],
    [
      "the status",
      { status: { ready: true } },
      "status",
      { generation: 1, version: "2", spec: { size: 1 }, status: { ready: true } },
    ],
    [
      "the spec through the status",
      { spec: { size: 2 }, status: { ready: true } },
      "status",
      { generation: 1, version: "2", spec: { size: 1 }, status: { ready: true } },
    ],
    [
      "a field away",
      { spec: { size: null, nested: { a: 1, b: null } } },
      undefined,
      { generation: 2, version: "2", spec: { nested: { a: 1 } }, status: undefined },
    ],
    [
      "the generation",
      { metadata: { generation: 7, uid: null } },
      undefined,
      { generation: 1, version: "1", spec: { size: 1 }, status: undefined },
    ],
  ])("patches %s", async (_, patch, subresource, expected) => {
    const { kube, first } = await seeded();
    const after = await kube.patch<Widget>(widgets, key, patch, { ...manager, subresource }, signal);
    expect({
      generation: after.metadata.generation,
      version: after.metadata.resourceVersion,
      spec: after.spec,
      status: after.status,
    }).toEqual(expected);
    expect(after.metadata.uid).toBe(first.metadata.uid);
    expect(await kube.get(widgets, key, signal)).toBe(after);
  });

  it("guards updates by resource version", async () => {
    const { kube, first } = await seeded();
    const second = await kube.update<Widget>(widgets, { ...first, spec: { size: 2 }, status: { ready: true } }, signal);
    expect(second).toEqual({
      ...first,
      spec: { size: 2 },
      metadata: { ...first.metadata, generation: 2, resourceVersion: "2" },
    });
    expect(await codeOfRejection(kube.update(widgets, { ...first, spec: { size: 3 } }, signal))).toBe("KubeConflict");
    expect(await codeOfRejection(kube.update(widgets, widget(), signal))).toBe("KubeRejected");
    expect(
      await codeOfRejection(kube.patch(widgets, key, { metadata: { resourceVersion: "1" } }, manager, signal)),
    ).toBe("KubeConflict");
    expect(
      await codeOfRejection(
        kube.patch(
          widgets,
          key,
          { metadata: { resourceVersion: "1" }, status: {} },
          { ...manager, subresource: "status" },
          signal,
        ),
      ),
    ).toBe("KubeConflict");
  });

  // As kube-apiserver 1.36 answers.
  it("takes a wrong uid for a mistake, and in a status for nothing", async () => {
    const { kube, first } = await seeded();
    const wrong = { uid: "other" };
    expect(await codeOfRejection(kube.patch(widgets, key, { metadata: wrong }, manager, signal))).toBe("KubeRejected");
    expect(
      await codeOfRejection(kube.update(widgets, { ...first, metadata: { ...first.metadata, ...wrong } }, signal)),
    ).toBe("KubeConflict");
    const after = await kube.patch<Widget>(
      widgets,
      key,
      { metadata: { ...wrong, labels: { a: "b" } }, status: { ready: true } },
      { ...manager, subresource: "status" },
      signal,
    );
    expect(after).toMatchObject({ status: { ready: true }, metadata: { uid: first.metadata.uid } });
    expect(after.metadata.labels).toBeUndefined();
  });

  it("takes unconditional updates of built-in kinds, which have no generation", async () => {
    const kube = new MemoryKube();
    const secret: KubeObject & { data: object } = {
      apiVersion: "v1",
      kind: "Secret",
      metadata: key,
      data: { a: "MQ==" },
    };
    expect((await kube.create(secrets, secret, signal)).metadata.generation).toBeUndefined();
    const after = await kube.update(secrets, { ...secret, data: { a: "Mg==" } }, signal);
    expect(after.data).toEqual({ a: "Mg==" });
    expect(after.metadata.generation).toBeUndefined();
  });

  it.each<[string, (kube: MemoryKube) => Promise<unknown>]>([
    ["update", (kube) => kube.update(widgets, widget({ metadata: { resourceVersion: "1" } }), signal)],
    ["patch", (kube) => kube.patch(widgets, key, {}, manager, signal)],
    ["apply to the status", (kube) => kube.apply(widgets, widget(), { ...force, subresource: "status" }, signal)],
    ["requestToken", (kube) => kube.requestToken(key, "aws", signal)],
  ])("%s finds nothing", async (_, call) => {
    expect(await codeOfRejection(call(new MemoryKube()))).toBe("NotFound");
  });
});

describe("apply", () => {
  it("creates, merges, and removes what its manager no longer states", async () => {
    const kube = new MemoryKube();
    const created = await kube.apply<Widget>(
      widgets,
      widget({ spec: { size: 1, colors: { red: 1, blue: 2 } } }),
      force,
      signal,
    );
    expect(created.metadata.generation).toBe(1);
    await kube.patch(widgets, key, { spec: { shape: "round" } }, { fieldManager: "other" }, signal);
    const after = await kube.apply<Widget>(widgets, widget({ spec: { colors: { red: 1 } } }), force, signal);
    expect(after.spec).toEqual({ colors: { red: 1 }, shape: "round" });
    const withStatus = await kube.apply<Widget>(
      widgets,
      widget({ spec: {}, status: { a: 1, b: 2 } }),
      { ...force, subresource: "status" },
      signal,
    );
    expect(withStatus).toMatchObject({ spec: after.spec, status: { a: 1, b: 2 } });
    expect(
      (await kube.apply<Widget>(widgets, widget({ status: { b: 3 } }), { ...force, subresource: "status" }, signal))
        .status,
    ).toEqual({ b: 3 });
  });

  it("is for the very object where a uid is given", async () => {
    const { kube, first } = await seeded();
    expect(await codeOfRejection(kube.apply(widgets, widget({ metadata: { uid: "other" } }), force, signal))).toBe(
      "KubeRejected",
    );
    await kube.apply(widgets, widget({ metadata: { uid: first.metadata.uid! } }), force, signal);
    expect((await kube.apply<Widget>(widgets, widget(), force, signal)).metadata.uid).toBe(first.metadata.uid);
    kube.remove(widgets, key);
    expect(
      await codeOfRejection(kube.apply(widgets, widget({ metadata: { uid: first.metadata.uid! } }), force, signal)),
    ).toBe("KubeConflict");
  });
});

describe("delete", () => {
  it.each([
    ["without preconditions", {}, "resolved", true],
    ["with a wrong uid", { uid: "other" }, "KubeConflict", false],
    ["with a wrong version", { resourceVersion: "7" }, "KubeConflict", false],
    ["with the right version", { resourceVersion: "1" }, "resolved", true],
  ])("%s", async (_, options, outcome, gone) => {
    const { kube } = await seeded();
    expect(await codeOfRejection(kube.delete(widgets, key, options, signal))).toBe(outcome);
    expect((await kube.get(widgets, key, signal)) === undefined).toBe(gone);
  });

  it("is content with what is gone already", async () => {
    expect(await codeOfRejection(new MemoryKube().delete(widgets, key, { uid: "any" }, signal))).toBe("resolved");
  });

  it("waits for finalizers, and takes no new ones", async () => {
    const { kube } = await seeded({ metadata: { finalizers: ["example.dev/a"] } });
    await kube.delete(widgets, key, {}, signal);
    const marked = await kube.get<Widget>(widgets, key, signal);
    expect(marked?.metadata).toMatchObject({ generation: 2, deletionTimestamp: expect.any(String) });
    await kube.delete(widgets, key, {}, signal);
    expect(await kube.get(widgets, key, signal)).toBe(marked);
    expect(
      await codeOfRejection(
        kube.patch(widgets, key, { metadata: { finalizers: ["example.dev/a", "example.dev/b"] } }, manager, signal),
      ),
    ).toBe("KubeRejected");
    await kube.patch(widgets, key, { metadata: { finalizers: null } }, manager, signal);
    expect(await kube.get(widgets, key, signal)).toBeUndefined();
    expect((await kube.create(widgets, widget(), signal)).metadata.uid).not.toBe(marked?.metadata.uid);
  });
});

describe("put", () => {
  it("follows a manifest without touching what the manifest does not hold", () => {
    const kube = new MemoryKube();
    const first = kube.put(widgets, widget({ status: { ready: true }, metadata: { labels: { a: "1" } } }));
    expect(first).toMatchObject({ status: { ready: true }, metadata: { generation: 1 } });
    expect(kube.put(widgets, widget({ metadata: { labels: { a: "1" } } }))).toBe(first);
    const second = kube.put(widgets, widget({ spec: { size: 2 }, metadata: { finalizers: ["example.dev/a"] } }));
    expect(second.metadata).toMatchObject({ generation: 2, uid: first.metadata.uid });
    expect(second.metadata.labels).toBeUndefined();
    expect(kube.put(widgets, widget({ spec: { size: 3 } }))).toMatchObject({
      status: { ready: true },
      metadata: { finalizers: ["example.dev/a"], generation: 3 },
    });
  });
});

describe("list", () => {
  const kube = new MemoryKube();
  for (const [namespace, name, labels] of [
    ["b", "x", { tier: "db" }],
    ["a", "y", { tier: "web" }],
    ["a", "x", {}],
  ] as const) {
    kube.put(widgets, widget({ metadata: { namespace, name, labels } }));
  }
  it.each([
    ["everything, in order", {}, ["a/x", "a/y", "b/x"]],
    ["one namespace", { namespace: "a" }, ["a/x", "a/y"]],
    ["a label", { labelSelector: "tier" }, ["a/y", "b/x"]],
    ["both", { namespace: "a", labelSelector: "tier=db" }, []],
  ])("gives %s", async (_, options, expected) => {
    const { items, resourceVersion } = await kube.list(widgets, options, signal);
    expect(items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual(expected);
    expect(resourceVersion).toBe("3");
  });

  it("gives metadata alone where that is asked", async () => {
    const { items } = await kube.list(widgets, { metadataOnly: true }, signal);
    expect(items.every((item) => !("spec" in item) && item.kind === "Widget")).toBe(true);
  });
});

describe("watch", () => {
  const told = ({ type, object }: WatchEvent<Widget>): string =>
    `${type} ${object.metadata.name}@${object.metadata.resourceVersion}`;

  async function collect(watch: AsyncIterable<WatchEvent<Widget>>, count: number): Promise<string[]> {
    const events: string[] = [];
    for await (const event of watch) {
      events.push(told(event));
      if (events.length === count) break;
    }
    return events;
  }

  it("tells what came after a version, and then what comes", async () => {
    const { kube } = await seeded({ metadata: { finalizers: ["example.dev/a"] } });
    await kube.patch(widgets, key, { spec: { size: 2 } }, manager, signal);
    const events = collect(kube.watch<Widget>(widgets, { resourceVersion: "1" }, signal), 5);
    await kube.create(secrets, { apiVersion: "v1", kind: "Secret", metadata: key }, signal);
    await kube.create(widgets, widget({ metadata: { name: "two" } }), signal);
    await kube.delete(widgets, key, {}, signal);
    await kube.patch(widgets, key, { metadata: { finalizers: [] } }, manager, signal);
    await kube.delete(widgets, { ...key, name: "two" }, {}, signal);
    expect(await events).toEqual(["MODIFIED one@2", "ADDED two@4", "MODIFIED one@5", "DELETED one@6", "DELETED two@7"]);
  });

  it("tells what enters and leaves a selection", async () => {
    const { kube } = await seeded();
    const events = collect(
      kube.watch<Widget>(widgets, { resourceVersion: "1", labelSelector: "shard=a", namespace: "apps" }, signal),
      3,
    );
    await kube.create(widgets, widget({ metadata: { namespace: "other", labels: { shard: "a" } } }), signal);
    for (const labels of [{ shard: "a" }, { shard: "a", x: "y" }, { shard: "b" }])
      await kube.patch(widgets, key, { metadata: { labels } }, manager, signal);
    expect(await events).toEqual(["ADDED one@3", "MODIFIED one@4", "DELETED one@5"]);
  });

  it("tells every one of many watches, however slow", async () => {
    const { kube } = await seeded();
    const watches = Array.from({ length: 10 }, () =>
      collect(kube.watch<Widget>(widgets, { resourceVersion: "1" }, signal), 50),
    );
    for (let size = 2; size <= 51; size++) await kube.patch(widgets, key, { spec: { size } }, manager, signal);
    const expected = Array.from({ length: 50 }, (_, i) => `MODIFIED one@${i + 2}`);
    expect(await Promise.all(watches)).toEqual(watches.map(() => expected));
  });

  it("ends when the server ends it", async () => {
    const { kube } = await seeded();
    const events = collect(kube.watch<Widget>(widgets, { resourceVersion: "1" }, signal), 9);
    await kube.patch(widgets, key, { spec: { size: 2 } }, manager, signal);
    await new Promise(setImmediate);
    kube.endWatches();
    expect(await events).toEqual(["MODIFIED one@2"]);
  });

  it("asks for a new list once its version is forgotten", async () => {
    const kube = new MemoryKube({ historyLength: 3 });
    kube.put(widgets, widget());
    const running = collect(kube.watch<Widget>(widgets, { resourceVersion: "1" }, signal), 9);
    const refused = codeOfRejection(running);
    for (let size = 2; size <= 20; size++) kube.put(widgets, widget({ spec: { size } }));
    expect(await refused).toBe("KubeConflict");
    expect(await codeOfRejection(collect(kube.watch<Widget>(widgets, { resourceVersion: "5" }, signal), 9))).toBe(
      "KubeConflict",
    );
    expect(await collect(kube.watch<Widget>(widgets, { resourceVersion: "17" }, signal), 3)).toEqual([
      "MODIFIED one@18",
      "MODIFIED one@19",
      "MODIFIED one@20",
    ]);
    kube.compact();
    expect(await codeOfRejection(collect(kube.watch<Widget>(widgets, { resourceVersion: "19" }, signal), 1))).toBe(
      "KubeConflict",
    );
    expect(await codeOfRejection(collect(kube.watch<Widget>(widgets, { resourceVersion: "none" }, signal), 1))).toBe(
      "KubeConflict",
    );
  });

  it("stops with the signal", async () => {
    const { kube } = await seeded();
    const controller = new AbortController();
    const stopped = codeOfRejection(
      collect(kube.watch<Widget>(widgets, { resourceVersion: "1" }, controller.signal), 1),
    );
    await new Promise(setImmediate);
    controller.abort();
    expect(await stopped).toBe("Aborted");
  });
});

describe("requests", () => {
  const calls: [KubeRequest["verb"], (kube: MemoryKube, signal: AbortSignal) => Promise<unknown>][] = [
    ["get", (kube, signal) => kube.get(widgets, key, signal)],
    ["list", (kube, signal) => kube.list(widgets, {}, signal)],
    [
      "watch",
      async (kube, signal) => {
        for await (const _ of kube.watch(widgets, { resourceVersion: "0" }, signal)) break;
      },
    ],
    ["create", (kube, signal) => kube.create(widgets, widget(), signal)],
    ["update", (kube, signal) => kube.update(widgets, widget(), signal)],
    ["patch", (kube, signal) => kube.patch(widgets, key, {}, manager, signal)],
    ["apply", (kube, signal) => kube.apply(widgets, widget(), force, signal)],
    ["delete", (kube, signal) => kube.delete(widgets, key, {}, signal)],
    ["token", (kube, signal) => kube.requestToken(key, "aws", signal)],
  ];

  it.each(calls)("%s can be made to fail, be stopped, and meet a kind that is missing", async (verb, call) => {
    const seen: string[] = [];
    const failing = new MemoryKube({
      onRequest: (request) => {
        seen.push(request.verb);
        throw new CodedError("KubeUnreachable", "down");
      },
    });
    expect(await codeOfRejection(call(failing, signal))).toBe("KubeUnreachable");
    expect(seen).toEqual([verb]);
    expect(await codeOfRejection(call(new MemoryKube(), AbortSignal.abort()))).toBe("Aborted");
    expect(await codeOfRejection(call(new MemoryKube({ kinds: [secrets] }), signal))).toBe("CrdMissing");
  });

  it("issues tokens only where it is told how", async () => {
    const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: key };
    const without = new MemoryKube();
    without.put(accounts, account);
    expect(await codeOfRejection(without.requestToken(key, "aws", signal))).toBe("KubeRejected");
    const kube = new MemoryKube({ issueToken: ({ name }, audience) => `${name} for ${audience}` });
    kube.put(accounts, account);
    expect(await kube.requestToken(key, "aws", signal)).toBe("one for aws");
  });
});
