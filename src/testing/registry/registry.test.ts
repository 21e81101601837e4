import { createHash } from "node:crypto";
import { afterEach, expect, test } from "vitest";
import { startRegistry, type RegistryOptions, type TestRegistry } from "./registry.ts";

const open: TestRegistry[] = [];
const start = async (options?: RegistryOptions): Promise<TestRegistry> => {
  const registry = await startRegistry(options);
  open.push(registry);
  return registry;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((registry) => registry.close()));
});

test("every fixture is served under its path, with intact blobs", async () => {
  const registry = await start({ fixtures: true });
  expect([...registry.store.repositories.keys()]).toEqual(
    expect.arrayContaining(["timoni/mod", "helm/chart", "product", "twin", "image", "signed/legacy"]),
  );
  const response = await fetch(`${registry.url}/v2/timoni/mod/manifests/1.0.0`);
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(response.headers.get("docker-content-digest")).toBe(
    `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
  );
  const { layers } = JSON.parse(bytes.toString()) as { layers: { digest: string; size: number }[] };
  for (const layer of layers) {
    const blob = Buffer.from(await (await fetch(`${registry.url}/v2/timoni/mod/blobs/${layer.digest}`)).arrayBuffer());
    expect(`sha256:${createHash("sha256").update(blob).digest("hex")}`).toBe(layer.digest);
    expect(blob.length).toBe(layer.size);
  }
  expect(registry.requests.map((request) => request.status)).toEqual(Array(1 + layers.length).fill(200));
});

test("blobs go up in chunks, and only in order", async () => {
  const registry = await start();
  const at = (response: Response): string => new URL(response.headers.get("location") ?? "", registry.url).href;
  const begin = at(await fetch(`${registry.url}/v2/a/b/blobs/uploads/`, { method: "POST" }));
  const first = await fetch(begin, { method: "PATCH", body: "hello ", headers: { "content-range": "0-5" } });
  expect(first.headers.get("range")).toBe("0-5");
  const gap = await fetch(at(first), { method: "PATCH", body: "x", headers: { "content-range": "9-9" } });
  expect(gap.status).toBe(416);
  expect((await fetch(begin, { method: "PUT" })).status).toBe(400);
  const digest = `sha256:${createHash("sha256").update("hello world").digest("hex")}`;
  const done = await fetch(`${at(first)}&digest=${digest}`, { method: "PUT", body: "world" });
  expect(done.status).toBe(201);
  expect(await (await fetch(`${registry.url}/v2/a/b/blobs/${digest}`)).text()).toBe("hello world");
});

test("tokens carry only the scopes their account may have", async () => {
  const registry = await start({
    auth: { kind: "token", accounts: { ann: { password: "pw", allows: (_, action) => action === "pull" } } },
  });
  registry.store.putManifest("app", { mediaType: "application/vnd.oci.image.manifest.v1+json" }, { tag: "v1" });
  const url = `${registry.url}/v2/app/manifests/v1`;
  const challenge = (await fetch(url)).headers.get("www-authenticate") ?? "";
  expect(challenge).toContain(
    `Bearer realm="${registry.url}/token",service="test-registry",scope="repository:app:pull"`,
  );
  const ask = await fetch(`${registry.url}/token?service=test-registry&scope=repository:app:pull,push`, {
    headers: { authorization: `Basic ${Buffer.from("ann:pw").toString("base64")}` },
  });
  const { token } = (await ask.json()) as { token: string };
  const headers = { authorization: `Bearer ${token}` };
  expect((await fetch(url, { headers })).status).toBe(200);
  const push = await fetch(`${registry.url}/v2/app/blobs/uploads/`, { method: "POST", headers });
  expect(push.status).toBe(401);
  expect(push.headers.get("www-authenticate")).toContain("insufficient_scope");
});

test("other clients may look whether this is a registry, and who they are to it", async () => {
  const open = await start();
  const closed = await start({ auth: { kind: "basic", accounts: { ann: { password: "pw" } } } });
  const authorization = `Basic ${Buffer.from("ann:pw").toString("base64")}`;
  const statuses = await Promise.all([
    fetch(`${open.url}/v2/`),
    fetch(`${closed.url}/v2/x/tags/list`),
    fetch(`${closed.url}/v2/`, { headers: { authorization } }),
  ]);
  expect(statuses.map((response) => response.status)).toEqual([200, 401, 200]);
});

test("faults strike the matching requests, as often as asked", async () => {
  const registry = await start();
  const { digest } = registry.store.putBlob("a", Buffer.alloc(100_000, "x"));
  const url = `${registry.url}/v2/a/blobs/${digest}`;
  registry.faults.add(
    { path: /\/blobs\//, status: 429, headers: { "retry-after": "1" } },
    { method: "GET", cutAfterBytes: 10 },
    { corruptAt: 70_000 },
    { reset: true },
  );
  const limited = await fetch(url);
  expect([limited.status, limited.headers.get("retry-after")]).toEqual([429, "1"]);
  await expect((await fetch(url)).arrayBuffer()).rejects.toThrow();
  const spoiled = Buffer.from(await (await fetch(url)).arrayBuffer());
  expect([spoiled.length, spoiled.indexOf("y")]).toEqual([100_000, 70_000]);
  await expect(fetch(url)).rejects.toThrow();
  expect((await fetch(url, { headers: { range: "bytes=99990-" } })).headers.get("content-range")).toBe(
    "bytes 99990-99999/100000",
  );
});
