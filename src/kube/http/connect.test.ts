import type { ResourceType } from "../../../api/kinds.ts";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { codeOf, CodedError } from "../../errors.ts";
import { connectTo, quickKube } from "../../testing/kube/client.ts";
import { startKubeServer, type TestKubeServer } from "../../testing/kube/server.ts";
import type { KubeClient, KubeObject, WatchEvent } from "../client.ts";
import { MemoryKube } from "../local/memory.ts";

type Widget = KubeObject & { readonly spec?: object; readonly status?: object };
const widgets: ResourceType = { group: "example.dev", version: "v1", plural: "widgets", kind: "Widget" };
const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret" };
const accounts: ResourceType = { group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount" };
const gadgets: ResourceType = { group: "example.dev", version: "v1", plural: "gadgets", kind: "Gadget" };
const key = { namespace: "apps", name: "one" };
const { signal } = new AbortController();
const manager = { fieldManager: "test" };

const widget = (overrides: { metadata?: object; spec?: object; status?: object } = {}): Widget => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  ...overrides,
  metadata: { ...key, ...overrides.metadata },
});
const secret = (name: string): KubeObject & { data: object } => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: "apps", name },
  data: { password: "c2VjcmV0" },
});

async function rejection(promise: Promise<unknown>): Promise<CodedError> {
  const error: unknown = await promise.then(
    () => new Error("nothing was thrown"),
    (thrown: unknown) => thrown,
  );
  if (error instanceof CodedError) return error;
  throw error;
}

interface Setup extends AsyncDisposable {
  readonly server: TestKubeServer;
  readonly client: KubeClient;
}

async function setup(
  server: Partial<Parameters<typeof startKubeServer>[0]> = {},
  options: Parameters<typeof connectTo>[1] = {},
): Promise<Setup> {
  const started = await startKubeServer({ kinds: [widgets, secrets, accounts], ...server });
  const connection = await connectTo(started, options);
  return {
    server: started,
    client: connection.client,
    [Symbol.asyncDispose]: async () => {
      await connection.close();
      await started[Symbol.asyncDispose]();
    },
  };
}

async function take<T>(events: AsyncIterable<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const event of events) if (taken.push(event) === count) break;
  return taken;
}

const told = ({ type, object }: WatchEvent<KubeObject>): string =>
  `${type} ${object.metadata.name ?? ""}@${object.metadata.resourceVersion}`;

describe("objects", () => {
  it("are created, read, changed and deleted", async () => {
    await using kube = await setup();
    const { client, server } = kube;
    const created = await client.create(widgets, widget({ spec: { size: 1 } }), signal);
    expect(created.metadata).toMatchObject({ generation: 1, resourceVersion: "1" });
    expect("managedFields" in created.metadata).toBe(false);
    expect(await client.get(widgets, key, signal)).toEqual(created);
    const updated = await client.update<Widget>(widgets, { ...created, spec: { size: 2 } }, signal);
    expect(updated.metadata.generation).toBe(2);
    const patched = await client.patch<Widget>(
      widgets,
      key,
      { status: { ready: true } },
      { ...manager, subresource: "status" },
      signal,
    );
    expect(patched).toMatchObject({ spec: { size: 2 }, status: { ready: true } });
    await client.delete(widgets, key, { uid: created.metadata.uid }, signal);
    expect(await client.get(widgets, key, signal)).toBeUndefined();
    await client.delete(widgets, key, {}, signal);
    expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /apis/example.dev/v1/namespaces/apps/widgets",
      "GET /apis/example.dev/v1/namespaces/apps/widgets/one",
      "PUT /apis/example.dev/v1/namespaces/apps/widgets/one",
      "PATCH /apis/example.dev/v1/namespaces/apps/widgets/one/status?fieldManager=test",
      "DELETE /apis/example.dev/v1/namespaces/apps/widgets/one",
      "GET /apis/example.dev/v1/namespaces/apps/widgets/one",
      "DELETE /apis/example.dev/v1/namespaces/apps/widgets/one",
    ]);
    expect(server.requests.map(({ headers }) => headers["content-type"])).toEqual([
      "application/json",
      undefined,
      "application/json",
      "application/merge-patch+json",
      "application/json",
      undefined,
      "application/json",
    ]);
    expect(server.requests.every(({ headers }) => headers["user-agent"] === "strata-test/1.0")).toBe(true);
  });

  it("are applied", async () => {
    await using kube = await setup();
    const created = await kube.client.apply<Widget>(
      widgets,
      widget({ spec: { size: 1 } }),
      { ...manager, force: true },
      signal,
    );
    expect(created.spec).toEqual({ size: 1 });
    await kube.client.apply<Widget>(
      widgets,
      widget({ status: { ready: true } }),
      { ...manager, force: false, subresource: "status" },
      signal,
    );
    expect(kube.server.requests.map(({ path, headers }) => [path, headers["content-type"]])).toEqual([
      ["/apis/example.dev/v1/namespaces/apps/widgets/one?fieldManager=test&force=true", "application/apply-patch+yaml"],
      [
        "/apis/example.dev/v1/namespaces/apps/widgets/one/status?fieldManager=test&force=false",
        "application/apply-patch+yaml",
      ],
    ]);
  });

  it("have a path of their own, whatever their name", async () => {
    await using kube = await setup();
    expect(await kube.client.get(secrets, { namespace: "apps", name: "a/b?c" }, signal)).toBeUndefined();
    expect(kube.server.requests[0]?.path).toBe("/api/v1/namespaces/apps/secrets/a%2Fb%3Fc");
    for (const name of ["", ".", ".."])
      expect((await rejection(kube.client.get(secrets, { namespace: "apps", name }, signal))).code).toBe(
        "KubeRejected",
      );
    expect(kube.server.requests).toHaveLength(1);
  });

  it("give tokens", async () => {
    const store = new MemoryKube({ issueToken: ({ name }, audience) => `${name} for ${audience}` });
    store.put(accounts, { apiVersion: "v1", kind: "ServiceAccount", metadata: key });
    await using kube = await setup({ store });
    expect(await kube.client.requestToken(key, "sts.amazonaws.com", signal)).toBe("one for sts.amazonaws.com");
    expect((await rejection(kube.client.requestToken({ ...key, name: "two" }, "x", signal))).code).toBe("NotFound");
    kube.server.faults.add({ status: 200, body: '{"status":{}}' });
    expect((await rejection(kube.client.requestToken(key, "x", signal))).code).toBe("KubeUnreachable");
  });
});

describe("errors", () => {
  const calls: [string, (client: KubeClient, type: ResourceType) => Promise<unknown>][] = [
    ["get", (client, type) => client.get(type, key, signal)],
    ["list", (client, type) => client.list(type, {}, signal)],
    ["watch", (client, type) => take(client.watch(type, { resourceVersion: "0" }, signal), 1)],
    ["create", (client, type) => client.create(type, widget(), signal)],
    ["update", (client, type) => client.update(type, widget(), signal)],
    ["patch", (client, type) => client.patch(type, key, {}, manager, signal)],
    ["apply", (client, type) => client.apply(type, widget(), { ...manager, force: true }, signal)],
    ["delete", (client, type) => client.delete(type, key, {}, signal)],
  ];

  it.each(calls)("%s tells that the kind is missing", async (_, call) => {
    await using kube = await setup();
    expect((await rejection(call(kube.client, gadgets))).code).toBe("CrdMissing");
  });

  const status = (code: number, rest: object): string =>
    JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code, ...rest });

  it.each<[string, number, string, string]>([
    [
      "a kind that is missing, in a Status",
      404,
      status(404, { reason: "NotFound", message: "the server could not find the requested resource", details: {} }),
      "CrdMissing",
    ],
    [
      "a namespace that is missing",
      404,
      status(404, {
        reason: "NotFound",
        message: 'namespaces "apps" not found',
        details: { name: "apps", kind: "namespaces" },
      }),
      "NotFound",
    ],
    [
      "no authorization",
      403,
      status(403, { reason: "Forbidden", message: "widgets.example.dev is forbidden" }),
      "AccessDenied",
    ],
    [
      "a webhook",
      403,
      status(403, { reason: "Forbidden", message: 'admission webhook "policy.example.dev" denied the request: no' }),
      "KubeRejected",
    ],
    ["a malformed request", 400, status(400, { reason: "BadRequest" }), "KubeRejected"],
    ["what is invalid", 422, status(422, { reason: "Invalid", message: "spec.size: Invalid value" }), "KubeRejected"],
    ["what is too large", 413, "Request entity too large", "KubeRejected"],
    ["a conflict", 409, status(409, { reason: "Conflict" }), "KubeConflict"],
    ["a server error", 500, status(500, { reason: "InternalError" }), "KubeUnreachable"],
    ["a page of a proxy", 502, "<html>Bad Gateway</html>", "KubeUnreachable"],
    ["a redirect", 302, "", "KubeRejected"],
    ["an answer that is not JSON", 200, "<html>", "KubeUnreachable"],
    ["an answer that is not an object", 200, '"text"', "KubeUnreachable"],
  ])("tell %s", async (_, code, body, expected) => {
    await using kube = await setup();
    kube.server.faults.add({ status: code, body, times: 10 });
    const error = await rejection(kube.client.create(widgets, widget(), signal));
    expect(error.code).toBe(expected);
    expect(error.message).toContain("create Widget apps/one");
    expect(error.message).not.toMatch(/[<\n]/);
  });

  it("never quote an answer that cannot be read", async () => {
    await using kube = await setup();
    kube.server.faults.add({ status: 200, body: '{"data":{"password":"c2VjcmV0"' });
    expect((await rejection(kube.client.get(secrets, key, signal))).message).not.toContain("c2VjcmV0");
  });

  it("are given for objects and pages that are too large", async () => {
    await using kube = await setup({}, { maxObjectBytes: 1000, maxPageBytes: 2000 });
    kube.server.store.put(widgets, widget({ spec: { text: "x".repeat(2000) } }));
    expect((await rejection(kube.client.get(widgets, key, signal))).code).toBe("KubeUnreachable");
    expect((await rejection(kube.client.list(widgets, {}, signal))).code).toBe("KubeUnreachable");
    expect((await rejection(take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 1))).code).toBe(
      "KubeUnreachable",
    );
  });
});

describe("retries", () => {
  it.each<[string, (client: KubeClient) => Promise<unknown>, number]>([
    ["a read", (client) => client.get(widgets, key, signal), 3],
    ["a list", (client) => client.list(widgets, {}, signal), 3],
    ["an apply", (client) => client.apply(widgets, widget(), { ...manager, force: true }, signal), 3],
    ["a deletion", (client) => client.delete(widgets, key, {}, signal), 3],
    ["a patch", (client) => client.patch(widgets, key, { spec: {} }, manager, signal), 3],
    [
      "no patch of a version",
      (client) => client.patch(widgets, key, { metadata: { resourceVersion: "1" } }, manager, signal),
      1,
    ],
    [
      "no update of a version",
      (client) => client.update(widgets, widget({ metadata: { resourceVersion: "1" } }), signal),
      1,
    ],
    ["no creation", (client) => client.create(widgets, widget({ metadata: { name: "two" } }), signal), 1],
  ])("repeat %s after a broken connection", async (_, call, attempts) => {
    for (const fault of [{ reset: true }, { status: 503, body: "" }]) {
      await using kube = await setup();
      kube.server.store.put(widgets, widget());
      kube.server.faults.add({ ...fault, times: 2 });
      const outcome = await call(kube.client).then(
        () => "done",
        (error: unknown) => codeOf(error),
      );
      expect([outcome, kube.server.requests.length]).toEqual([attempts === 1 ? "KubeUnreachable" : "done", attempts]);
    }
  });

  it("repeat a read whose body broke off", async () => {
    await using kube = await setup();
    kube.server.store.put(widgets, widget());
    kube.server.faults.add({ cutAfterBytes: 10 });
    expect((await kube.client.get(widgets, key, signal))?.metadata.name).toBe("one");
    expect(kube.server.requests).toHaveLength(2);
  });

  it("end at some time", async () => {
    await using kube = await setup();
    kube.server.faults.add({ reset: true, times: 100 });
    expect((await rejection(kube.client.get(widgets, key, signal))).code).toBe("KubeUnreachable");
    expect(kube.server.requests).toHaveLength(4);
  });

  it.each([
    ["429", 429],
    ["503", 503],
  ])("wait as long as a %s says, even for a creation", async (_, code) => {
    await using kube = await setup();
    kube.server.faults.add({ status: code, headers: { "retry-after": "1" } });
    const start = performance.now();
    await kube.client.create(widgets, widget(), signal);
    expect(performance.now() - start).toBeGreaterThan(990);
    expect(kube.server.requests).toHaveLength(2);
  });

  it("leave a long wait to the caller", async () => {
    await using kube = await setup();
    kube.server.faults.add({ status: 429, headers: { "retry-after": "30" } });
    expect(await rejection(kube.client.get(widgets, key, signal))).toMatchObject({
      code: "KubeUnreachable",
      retryAfterMs: 30_000,
    });
    expect(kube.server.requests).toHaveLength(1);
  });

  it("bridge a server's restart", async () => {
    await using kube = await setup({}, { retry: { ...quickKube.retry, attempts: 50, baseMs: 20, maxMs: 20 } });
    const created = await kube.client.create(widgets, widget(), signal);
    await kube.server.stop();
    const again = kube.client.create(widgets, widget({ metadata: { name: "two" } }), signal);
    const [read] = await Promise.all([
      kube.client.get(widgets, key, signal),
      delay(100).then(() => kube.server.start()),
    ]);
    expect(read).toEqual(created);
    expect((await again).metadata.name).toBe("two");
  });
});

describe("lists", () => {
  const names = (items: readonly KubeObject[]): string[] => items.map(({ metadata }) => metadata.name);

  it("are read page by page", async () => {
    await using kube = await setup({}, { pageSize: 3 });
    for (let i = 0; i < 10; i++) kube.server.store.put(secrets, secret(`s${i}`));
    const { items, resourceVersion } = await kube.client.list(
      secrets,
      { namespace: "apps", labelSelector: "a!=b" },
      signal,
    );
    expect(names(items)).toEqual(["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"]);
    expect(resourceVersion).toBe("10");
    expect(items.every(({ apiVersion, kind }) => apiVersion === "v1" && kind === "Secret")).toBe(true);
    expect(kube.server.requests).toHaveLength(4);
    expect(kube.server.requests[0]?.path).toBe("/api/v1/namespaces/apps/secrets?labelSelector=a!%3Db&limit=3");
  });

  it("begin anew, and in one piece, where the pages have expired", async () => {
    await using kube = await setup({}, { pageSize: 3 });
    for (let i = 0; i < 5; i++) kube.server.store.put(secrets, secret(`s${i}`));
    kube.server.faults.add({ path: /continue/, status: 410, body: "{}" });
    expect(names((await kube.client.list(secrets, {}, signal)).items)).toHaveLength(5);
    expect(kube.server.requests.map(({ path }) => path)).toEqual([
      "/api/v1/secrets?limit=3",
      expect.stringContaining("continue="),
      "/api/v1/secrets",
    ]);
  });

  it.each([
    ["of a server that knows it", false],
    ["of one that does not", true],
  ])("hold no secrets where only metadata is asked, %s", async (_, ignored) => {
    await using kube = await setup();
    const stored = kube.server.store.put(secrets, secret("s"));
    if (ignored)
      kube.server.faults.add({
        status: 200,
        body: JSON.stringify({ metadata: { resourceVersion: "1" }, items: [stored] }),
      });
    const { items } = await kube.client.list(secrets, { metadataOnly: true }, signal);
    expect(items).toEqual([{ apiVersion: "v1", kind: "Secret", metadata: stored.metadata }]);
    expect(kube.server.requests[0]?.headers.accept).toBe(
      "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v1,application/json",
    );
  });
});

describe("watches", () => {
  it("tell what comes, and bookmarks", async () => {
    await using kube = await setup({ bookmarkMs: 20 });
    const { store } = kube.server;
    store.put(widgets, widget());
    const events = take(
      kube.client.watch(widgets, { resourceVersion: "0", namespace: "apps", labelSelector: "!hidden" }, signal),
      4,
    );
    await delay(30);
    store.put(widgets, widget({ spec: { size: 2 } }));
    store.remove(widgets, key);
    await delay(30);
    store.put(secrets, secret("s"));
    expect((await events).map(told)).toEqual(["ADDED one@1", "MODIFIED one@2", "DELETED one@3", "BOOKMARK @4"]);
    const { searchParams } = new URL(kube.server.requests[0]?.path ?? "", kube.server.url);
    expect(Object.fromEntries(searchParams)).toMatchObject({
      watch: "true",
      allowWatchBookmarks: "true",
      labelSelector: "!hidden",
      resourceVersion: "0",
    });
    expect(Number(searchParams.get("timeoutSeconds"))).toBeGreaterThanOrEqual(300);
    expect(Number(searchParams.get("timeoutSeconds"))).toBeLessThanOrEqual(600);
  });

  it("hold no secrets where only metadata is asked", async () => {
    await using kube = await setup();
    const stored = kube.server.store.put(secrets, secret("s"));
    const [event] = await take(kube.client.watch(secrets, { resourceVersion: "0", metadataOnly: true }, signal), 1);
    expect(event).toEqual({ type: "ADDED", object: { apiVersion: "v1", kind: "Secret", metadata: stored.metadata } });
  });

  it("take events of any size, in whatever pieces they come", async () => {
    await using kube = await setup();
    const sizes = [1, 100_000, 1_000_000, 5, 300_000];
    sizes.forEach((size, i) =>
      kube.server.store.put(widgets, widget({ metadata: { name: `w${i}` }, spec: { text: "ü".repeat(size) } })),
    );
    const events = await take(
      kube.client.watch<KubeObject & { spec: { text: string } }>(widgets, { resourceVersion: "0" }, signal),
      5,
    );
    expect(events.map(({ object }) => object.spec.text.length)).toEqual(sizes);
  });

  it("end where the server ends them", async () => {
    await using kube = await setup();
    const events = take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 9);
    kube.server.store.put(widgets, widget());
    await delay(50);
    kube.server.store.endWatches();
    expect((await events).map(told)).toEqual(["ADDED one@1"]);
  });

  it("end where nothing comes for too long", async () => {
    await using kube = await setup({}, { watchIdleMs: 100 });
    expect(await take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 1)).toEqual([]);
  });

  it("ask for a list once their version is too old, in an event or at once", async () => {
    await using kube = await setup();
    kube.server.store.put(widgets, widget());
    kube.server.store.compact();
    const watch = (): Promise<unknown> => take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 1);
    expect((await rejection(watch())).code).toBe("KubeConflict");
    kube.server.faults.add({ status: 410, body: "{}" });
    expect((await rejection(watch())).code).toBe("KubeConflict");
  });

  it.each([
    ["what is not JSON", "{\n", "KubeUnreachable"],
    ["an error", '{"type":"ERROR","object":{"code":500}}\n', "KubeUnreachable"],
    ["an error without a code", '{"type":"ERROR","object":null}\n', "KubeUnreachable"],
    ["an event without an object", '{"type":"ADDED"}\n', "KubeUnreachable"],
  ])("fail on %s", async (_, body, code) => {
    await using kube = await setup();
    kube.server.faults.add({ status: 200, body });
    expect((await rejection(take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 1))).code).toBe(code);
  });

  it("fail with a reset", async () => {
    await using kube = await setup();
    const failed = rejection(take(kube.client.watch(widgets, { resourceVersion: "0" }, signal), 1));
    await delay(50);
    kube.server.dropConnections();
    expect((await failed).code).toBe("KubeUnreachable");
  });

  it("keep no request waiting", async () => {
    await using kube = await setup({}, { connections: 2 });
    const stop = new AbortController();
    const watches = Array.from({ length: 20 }, () =>
      rejection(take(kube.client.watch(widgets, { resourceVersion: "0" }, stop.signal), 1)),
    );
    await delay(100);
    await Promise.all(Array.from({ length: 20 }, () => kube.client.get(widgets, key, signal)));
    expect(kube.server.connections()).toBeLessThanOrEqual(22);
    stop.abort();
    expect(new Set((await Promise.all(watches)).map(({ code }) => code))).toEqual(new Set(["Aborted"]));
  });
});

describe("signals", () => {
  it.each<[string, (client: KubeClient, signal: AbortSignal) => Promise<unknown>]>([
    ["get", (client, signal) => client.get(widgets, key, signal)],
    ["list", (client, signal) => client.list(widgets, {}, signal)],
    ["create", (client, signal) => client.create(widgets, widget(), signal)],
  ])("stop %s", async (_, call) => {
    await using kube = await setup();
    kube.server.faults.add({ delayMs: 5000, times: 2 });
    expect((await rejection(call(kube.client, AbortSignal.abort()))).code).toBe("Aborted");
    expect(kube.server.requests).toHaveLength(0);
    const stop = new AbortController();
    const stopped = rejection(call(kube.client, stop.signal));
    await delay(50);
    stop.abort();
    expect((await stopped).code).toBe("Aborted");
    expect((await rejection(call(kube.client, AbortSignal.timeout(50)))).code).toBe("KubeUnreachable");
    const reason = new CodedError("StorageFailed", "another reason");
    expect(await rejection(call(kube.client, AbortSignal.abort(reason)))).toBe(reason);
  });
});

describe("connections", () => {
  it("are few, over TLS as well", async () => {
    await using kube = await setup({ tls: "server" }, { connections: 4 });
    kube.server.store.put(widgets, widget());
    for (let i = 0; i < 50; i++) await kube.client.get(widgets, key, signal);
    expect(kube.server.connections()).toBeLessThanOrEqual(2);
    await Promise.all(Array.from({ length: 150 }, () => kube.client.get(widgets, key, signal)));
    expect(kube.server.requests).toHaveLength(200);
    expect(kube.server.connections()).toBeLessThanOrEqual(4);
  });

  it("are paced", async () => {
    await using kube = await setup({}, { qps: 50, burst: 5 });
    const start = performance.now();
    await Promise.all(Array.from({ length: 15 }, () => kube.client.get(widgets, key, signal)));
    // Five at once, ten more at 20 ms each.
    expect(performance.now() - start).toBeGreaterThan(190);
  });

  it("are cut by close", async () => {
    await using kube = await startKubeServer({ kinds: [widgets] });
    const connection = await connectTo(kube);
    const failed = rejection(take(connection.client.watch(widgets, { resourceVersion: "0" }, signal), 1));
    await delay(50);
    await connection.close();
    expect((await failed).code).toBe("KubeUnreachable");
    expect((await rejection(connection.client.get(widgets, key, signal))).code).toBe("KubeUnreachable");
    expect(kube.requests).toHaveLength(1);
  });
});
