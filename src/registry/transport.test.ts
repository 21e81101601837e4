import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { defaultLimits } from "../config.ts";
import type { CredentialProvider } from "../credentials/provider.ts";
import { messageOf } from "../errors.ts";
import type { Descriptor } from "../oci/types.ts";
import { startProxy, type TestProxy } from "../testing/registry/proxy.ts";
import {
  startRegistry,
  testCa,
  testClientCertificate,
  type RegistryOptions,
  type TestRegistry,
} from "../testing/registry/registry.ts";
import { testAccess, testClient, testRepository } from "../testing/registry/client.ts";
import { targetOf } from "./transport.ts";
import type { RegistryClient, RegistryClientOptions } from "./client.ts";

const signal = new AbortController().signal;
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((one) => one.close()));
});
const keep = <T extends { close(): Promise<void> }>(one: T): T => {
  opened.push(one);
  return one;
};

let root: Descriptor;
let blob: Descriptor;
const start = async (options: RegistryOptions = {}): Promise<TestRegistry> => {
  const registry = keep(await startRegistry(options));
  root = registry.store.putArtifact("a", { tag: "v1" });
  blob = registry.store.putBlob("a", Buffer.alloc(500_000, "x"));
  return registry;
};
const newClient = (options: Partial<RegistryClientOptions> = {}): RegistryClient => keep(testClient(options));
const ann: CredentialProvider = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw" }) };

test("a certificate of a private CA is trusted where the CA is given, and nowhere else", async () => {
  const registry = await start({ tls: {} });
  const client = newClient();
  await expect(testRepository(registry, "a", { client }).resolve("v1", signal)).rejects.toMatchObject({
    code: "TlsFailed",
  });
  expect(await testRepository(registry, "a", { client, tls: { ca: testCa() } }).resolve("v1", signal)).toMatchObject(
    root,
  );
  await expect(testRepository(registry, "a", { client }).resolve("v1", signal)).rejects.toMatchObject({
    code: "TlsFailed",
  });
});

test.each<[string, RegistryOptions]>([
  ["an expired certificate", { tls: { certificate: "expired" } }],
  ["no TLS at all", {}],
])("%s is refused", async (_, options) => {
  const registry = await start(options);
  const repository = testRepository(registry, "a", { client: newClient(), tls: { ca: testCa() }, insecure: false });
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "TlsFailed" });
});

test("a certificate of another host is refused", async () => {
  const registry = await start({ tls: {} });
  const proxy = keep(await startProxy({ resolve: () => registry.host }));
  const repository = newClient().repository(
    { registry: "other.test:5000", repository: "a" },
    testAccess(registry, { tls: { ca: testCa() }, proxy: { address: proxy.url } }),
  );
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "TlsFailed" });
});

test("mutual TLS: the client certificate is shown, and rotated material takes effect", async () => {
  const registry = await start({ tls: { mutual: true } });
  const client = newClient();
  const ca = testCa();
  await expect(testRepository(registry, "a", { client, tls: { ca } }).resolve("v1", signal)).rejects.toMatchObject({
    code: expect.stringMatching(/TlsFailed|RegistryUnreachable/),
  });
  const repository = testRepository(registry, "a", { client, tls: { ca, ...testClientCertificate() } });
  expect(await repository.resolve("v1", signal)).toMatchObject(root);
  expect(Buffer.concat((await (await repository.fetch(blob, signal)).toArray()) as Buffer[])).toHaveLength(500_000);
});

test.each<[string, object]>([
  ["a CA that is none", { ca: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" }],
  ["a certificate without its key", { cert: testClientCertificate().cert }],
  ["a key that is none", { ...testClientCertificate(), key: "secret-key-material" }],
])("%s is refused, and not repeated", async (_, tls) => {
  const registry = await start({ tls: {} });
  const failure: unknown = await testRepository(registry, "a", { client: newClient(), tls })
    .resolve("v1", signal)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "TlsFailed" });
  expect(messageOf(failure)).not.toContain("secret-key-material");
});

test("blobs go over HTTP/1.1, the rest over HTTP/2 where the registry offers it", async () => {
  const registry = await start({ tls: {} });
  const repository = testRepository(registry, "a", { client: newClient(), tls: { ca: testCa() } });
  await repository.resolve("v1", signal);
  await (await repository.fetch(blob, signal)).toArray();
  expect(registry.requests.map((request) => [request.method, request.httpVersion])).toEqual([
    ["HEAD", "2.0"],
    ["GET", "1.1"],
  ]);
});

test("HTTP/1.1 alone is enough", async () => {
  const registry = await start({ tls: { http2: false } });
  await testRepository(registry, "a", { client: newClient(), tls: { ca: testCa() } }).resolve("v1", signal);
  expect(registry.requests[0]?.httpVersion).toBe("1.1");
});

test("IPv6 registries", async () => {
  const registry = await start({ address: "::1", tls: {} });
  expect(registry.host).toMatch(/^\[::1\]:\d+$/);
  expect(
    await testRepository(registry, "a", { client: newClient(), tls: { ca: testCa() } }).resolve("v1", signal),
  ).toMatchObject(root);
});

test("connections are shared by all repositories, and limited for each host", async () => {
  const registry = await start();
  const client = newClient({ connectionsPerHost: 3 });
  await Promise.all(Array.from({ length: 60 }, () => testRepository(registry, "a", { client }).resolve("v1", signal)));
  expect(registry.connections()).toBeLessThanOrEqual(3);
});

test("one request after the other, HEAD or GET, needs hardly more than one connection", async () => {
  const registry = await start();
  const client = newClient();
  for (let round = 0; round < 5; round++) {
    const repository = testRepository(registry, "a", { client });
    await repository.resolve("v1", signal);
    await (await repository.fetch(root, signal)).toArray();
  }
  expect(registry.connections()).toBeLessThanOrEqual(2);
});

test("a connection that the registry has closed meanwhile is replaced", async () => {
  const registry = await start();
  const repository = testRepository(registry, "a", { client: newClient() });
  for (let round = 0; round < 5; round++) {
    await repository.resolve("v1", signal);
    registry.dropConnections();
  }
  expect(registry.requests).toHaveLength(5);
});

test("after close() a client opens new connections", async () => {
  const registry = await start();
  const client = newClient();
  const repository = testRepository(registry, "a", { client });
  await repository.resolve("v1", signal);
  await client.close();
  expect(await repository.resolve("v1", signal)).toMatchObject(root);
});

test("more materials than are kept: the oldest connections are closed, work goes on", async () => {
  const registry = await start();
  const client = newClient({ maxMaterials: 1 });
  const proxy = keep(await startProxy());
  const direct = testRepository(registry, "a", { client });
  const stream = await direct.fetch(blob, signal);
  await testRepository(registry, "a", { client, proxy: { address: proxy.url } }).resolve("v1", signal);
  expect(Buffer.concat((await stream.toArray()) as Buffer[])).toHaveLength(500_000);
  expect(await direct.resolve("v1", signal)).toMatchObject(root);
});

test("hooks see every request and the bytes of content", async () => {
  const registry = await start();
  const seen: string[] = [];
  let bytes = 0;
  const client = newClient({
    onRequest: ({ host, method, status, durationMs }) => seen.push(`${host} ${method} ${status} ${durationMs > 0}`),
    onBytes: (_, count) => (bytes += count),
  });
  const repository = testRepository(registry, "a", { client });
  registry.faults.add({ reset: true });
  await repository.resolve("v1", signal);
  await (await repository.fetch(blob, signal)).toArray();
  expect(seen).toEqual([
    `${registry.host} HEAD 0 true`,
    `${registry.host} HEAD 200 true`,
    `${registry.host} GET 200 true`,
  ]);
  expect(bytes).toBe(500_000);
  expect(registry.requests[0]?.headers["user-agent"]).toBe("strata");
});

test.each<[string, string, string]>([
  ["to a metadata service", "http://169.254.169.254/latest", "EndpointRefused"],
  ["to one in IPv6 clothes", "http://[::ffff:a9fe:a9fe]/", "EndpointRefused"],
  ["to another scheme", "file:///etc/passwd", "RegistryResponseInvalid"],
  ["to nowhere", "http://[", "RegistryResponseInvalid"],
])("a redirect %s is refused", async (_, location, code) => {
  const registry = await start();
  registry.faults.add({ status: 307, headers: { location } });
  await expect(testRepository(registry, "a", { client: newClient() }).fetch(blob, signal)).rejects.toMatchObject({
    code,
  });
});

test("a redirect from https to http is refused", async () => {
  const plain = await start();
  const registry = await start({ tls: {}, redirectBlob: () => `${plain.url}/blob?X-Signature=s3cret` });
  const failure: unknown = await testRepository(registry, "a", { client: newClient(), tls: { ca: testCa() } })
    .fetch(blob, signal)
    .catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "EndpointRefused" });
  expect(messageOf(failure)).not.toContain("s3cret");
  expect(plain.requests).toEqual([]);
});

test("redirects in a circle end", async () => {
  const registry = await start();
  registry.faults.add({ times: 50, status: 307, headers: { location: `/v2/a/blobs/${blob.digest}` } });
  await expect(testRepository(registry, "a", { client: newClient() }).fetch(blob, signal)).rejects.toMatchObject({
    code: "RegistryResponseInvalid",
  });
  expect(registry.requests.length).toBeLessThan(12);
});

test("credentials stay with the origin, even when a redirect leads back to it", async () => {
  const registry = await start({ auth: { kind: "basic", accounts: { ann: { password: "pw" } } } });
  const other = await start();
  const client = newClient();
  await testRepository(registry, "a", { client, credentials: ann }).resolve("v1", signal);
  registry.faults.add({ status: 307, headers: { location: `${other.url}/away` } });
  other.faults.add({ status: 307, headers: { location: `${registry.url}/v2/a/blobs/${blob.digest}?back` } });
  await expect(testRepository(registry, "a", { client, credentials: ann }).fetch(blob, signal)).rejects.toMatchObject({
    code: "Unauthorized",
  });
  expect(other.requests.map((request) => request.headers.authorization)).toEqual([undefined]);
  expect(
    registry.requests
      .filter((request) => request.path.endsWith("?back"))
      .every((request) => request.headers.authorization === undefined),
  ).toBe(true);
});

test("the client certificate is not shown to the storage that a registry redirects to", async () => {
  const storage = await start({ tls: { mutual: true } });
  const registry = await start({
    tls: { mutual: true },
    redirectBlob: (name, digest) => `${storage.url}/v2/${name}/blobs/${digest}`,
  });
  const repository = testRepository(registry, "a", {
    client: newClient(),
    tls: { ca: testCa(), ...testClientCertificate() },
  });
  await expect(repository.fetch(blob, signal)).rejects.toMatchObject({
    code: expect.stringMatching(/TlsFailed|RegistryUnreachable/),
  });
  expect(storage.requests).toEqual([]);
});

test.each(["169.254.169.254", "[fe80::1]:5000", "[fd00:ec2::254]"])("the registry %s is refused", async (host) => {
  const repository = newClient().repository(
    { registry: host, repository: "a" },
    { timeoutMs: 1000, limits: defaultLimits },
  );
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "EndpointRefused" });
});

test("a registry that nobody answers for", async () => {
  const registry = await start();
  await registry.close();
  await expect(testRepository(registry, "a", { client: newClient() }).resolve("v1", signal)).rejects.toMatchObject({
    code: "RegistryUnreachable",
  });
});

test("a name that does not exist is not tried again", async () => {
  let tried = 0;
  const client = newClient({ onRequest: () => tried++ });
  const repository = client.repository(
    { registry: "no-such-host.invalid", repository: "a" },
    { timeoutMs: 3000, limits: defaultLimits },
  );
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "RegistryUnreachable" });
  expect(tried).toBe(1);
});

test("what answers but speaks no HTTP", async () => {
  const server = createServer((socket) =>
    socket.on("error", () => undefined).once("data", () => socket.end("SSH-2.0-OpenSSH_9.9\r\n")),
  );
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const registry = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const repository = newClient().repository(
    { registry, repository: "a" },
    { insecure: true, timeoutMs: 1000, limits: defaultLimits },
  );
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "RegistryResponseInvalid" });
  await new Promise((done) => server.close(done));
});

test("a registry that says nothing", async () => {
  const registry = await start();
  registry.faults.add({ times: 9, delayMs: 60_000 });
  const client = newClient({ retry: { attempts: 2, baseMs: 1, maxMs: 1, maxWaitMs: 1 } });
  await expect(testRepository(registry, "a", { client, timeoutMs: 50 }).resolve("v1", signal)).rejects.toMatchObject({
    code: "RegistryTimeout",
  });
});

test("a registry that asks for patience is left alone by all who are the same to it", async () => {
  const registry = await start();
  const client = newClient();
  registry.faults.add({ status: 429, headers: { "retry-after": "1" } });
  const started = performance.now();
  const first = testRepository(registry, "a", { client }).resolve("v1", signal);
  await new Promise((done) => setTimeout(done, 50));
  await Promise.all([first, testRepository(registry, "a", { client }).resolve("v1", signal)]);
  expect(performance.now() - started).toBeGreaterThan(900);
  expect(registry.requests).toHaveLength(3);
});

test("a long Retry-After is handed on at once", async () => {
  const registry = await start();
  registry.faults.add({
    status: 429,
    headers: { "retry-after": "600" },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"pull rate limit"}]}',
  });
  await expect(testRepository(registry, "a", { client: newClient() }).fetch(blob, signal)).rejects.toMatchObject({
    code: "RateLimited",
    retryAfterMs: 600_000,
  });
});

const throughProxy = async (
  registry: TestRegistry,
  proxy: TestProxy,
  options: { username?: string; password?: string } = {},
): Promise<void> => {
  const repository = testRepository(registry, "a", {
    client: newClient(),
    tls: { ca: testCa() },
    proxy: { address: proxy.url, ...options },
  });
  await repository.resolve("v1", signal);
  expect(Buffer.concat((await (await repository.fetch(blob, signal)).toArray()) as Buffer[])).toHaveLength(500_000);
};

test("https goes through a proxy in a tunnel", async () => {
  const registry = await start({ tls: {} });
  const proxy = keep(await startProxy());
  await throughProxy(registry, proxy);
  expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${registry.host}`]));
});

test("http is forwarded by a proxy, which gets its own password and no other", async () => {
  const registry = await start();
  const proxy = keep(await startProxy({ login: "joe:p@ss" }));
  await throughProxy(registry, proxy, { username: "joe", password: "p@ss" });
  expect(proxy.requests[0]).toBe(`HEAD ${registry.url}/v2/a/manifests/v1`);
  expect(registry.requests.every((request) => request.headers["proxy-authorization"] === undefined)).toBe(true);
});

test.each([{}, { tls: {} }])("a proxy that wants another password (%j)", async (options) => {
  const registry = await start(options);
  const proxy = keep(await startProxy({ login: "joe:right" }));
  const failure: unknown = await throughProxy(registry, proxy, { username: "joe", password: "wr0ng" }).catch(
    (error: unknown) => error,
  );
  expect(failure).toMatchObject({ code: "RegistryUnreachable" });
  expect(messageOf(failure)).toContain("407");
  expect(messageOf(failure)).not.toContain("wr0ng");
});

test("a proxy that is a metadata service is refused", async () => {
  const registry = await start();
  const repository = testRepository(registry, "a", {
    client: newClient(),
    proxy: { address: "http://169.254.169.254:80" },
  });
  await expect(repository.resolve("v1", signal)).rejects.toMatchObject({ code: "EndpointRefused" });
});

test.each([
  ["docker.io", "alpine", "registry-1.docker.io/v2/library/alpine"],
  ["index.docker.io", "team/app", "registry-1.docker.io/v2/team/app"],
  ["registry.test", "alpine", "registry.test/v2/alpine"],
])("%s/%s is asked for at %s", async (host, repository, path) => {
  const registry = await start();
  registry.faults.add({ times: 9, status: 404 });
  const proxy = keep(await startProxy({ resolve: () => registry.host }));
  const opened = newClient().repository(
    { registry: host, repository },
    testAccess(registry, { proxy: { address: proxy.url } }),
  );
  await expect(opened.resolve("v1", signal)).rejects.toMatchObject({ code: "NotFound" });
  expect(proxy.requests[0]).toBe(`HEAD http://${path}/manifests/v1`);
});

test("the proxy environment is followed, but for loopback and NO_PROXY", async () => {
  const registry = await start();
  const proxy = keep(await startProxy({ resolve: () => registry.host }));
  const environmentProxy = { httpProxy: proxy.url, noProxy: "10.0.0.0/8" };
  const client = newClient({ environmentProxy });
  await testRepository(registry, "a", { client }).resolve("v1", signal);
  expect(proxy.requests).toEqual([]);
  await client
    .repository({ registry: "registry.test:5000", repository: "a" }, testAccess(registry))
    .resolve("v1", signal);
  expect(proxy.requests).toEqual(["HEAD http://registry.test:5000/v2/a/manifests/v1"]);
});

test("a failure says who led to another host", async () => {
  const storage = await start();
  const registry = await start({ redirectBlob: () => `${storage.url}/v2/a/blobs/sha256:${"0".repeat(64)}` });
  const blob = registry.store.putBlob("a", Buffer.from("x"));
  await expect(testRepository(registry, "a", { client: newClient() }).fetch(blob, signal)).rejects.toThrow(
    `(to which ${registry.host} leads): 404`,
  );
});

test("a location in plain HTTP on the same host stays within TLS", () => {
  const from = new URL("https://r.example/v2/a/blobs/uploads/");
  expect(targetOf("http://r.example/v2/x?y", from, "x").href).toBe("https://r.example/v2/x?y");
  expect(() => targetOf("http://other.example/v2/x", from, "x")).toThrow(/leads from https to plain/);
});
