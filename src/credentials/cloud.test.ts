import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { CodedError } from "../errors.ts";
import { type Cloud, type CloudRequest, CloudCredentials, type CloudToken, type RequestToken } from "./cloud.ts";
import type { SecretSource } from "./secret-data.ts";

const { signal } = new AbortController();
const target = { registry: "r.example", repository: "team/app" };
const hour = 3_600_000;

let requests: CloudRequest[];
let respond: (request: CloudRequest) => Promise<CloudToken>;
let annotations: Record<string, string>;
let uid: string;
const fake: Cloud = {
  scopeOf: ({ registry }) => {
    if (registry === "other.example") throw new CodedError("InvalidSpec", registry);
    return registry;
  },
  exchange: async (request) => {
    requests.push(request);
    return await respond(request);
  },
};
const credentials = (): CloudCredentials =>
  new CloudCredentials({
    clouds: { aws: fake, azure: fake, gcp: fake, generic: fake },
    timeoutMs: 1000,
    cacheEntries: 100,
  });
const source = (namespace: string): SecretSource => ({
  namespace,
  secrets: async () => await Promise.reject(new CodedError("NotFound", "")),
  serviceAccounts: async (_, name) =>
    name === "puller" ? { metadata: { uid, annotations } } : await Promise.reject(new CodedError("NotFound", name)),
});
const requestToken: RequestToken = async (namespace, name, audience) =>
  await Promise.resolve(`${namespace}/${name} for ${audience as string}`);
const of = (all: CloudCredentials, namespace = "apps", name = "puller") =>
  all.ofServiceAccount("aws", source(namespace), name, requestToken);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "performance"] });
  requests = [];
  annotations = { role: "a" };
  uid = "1";
  respond = async () => ({
    credential: { kind: "bearer", token: String(requests.length) },
    expiresAt: Date.now() + hour,
  });
});
afterEach(() => vi.useRealTimers());

it("keeps a credential until shortly before it expires", async () => {
  const provider = credentials().ofController("aws");
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "1" });
  vi.advanceTimersByTime(0.79 * hour);
  expect(await provider.resolve({ ...target, repository: "other" }, signal)).toEqual({ kind: "bearer", token: "1" });
  vi.advanceTimersByTime(0.02 * hour);
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "2" });
});

it.each([
  ["forward", 100 * hour],
  ["back", -100 * hour],
])("is not led astray by a clock that is set %s", async (_, step) => {
  const provider = credentials().ofController("aws");
  await provider.resolve(target, signal);
  vi.setSystemTime(Date.now() + step);
  vi.advanceTimersByTime(0.5 * hour);
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "1" });
  vi.advanceTimersByTime(0.4 * hour);
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "2" });
});

it("asks again one day where the clock is years behind", async () => {
  respond = async () => ({
    credential: { kind: "bearer", token: String(requests.length) },
    expiresAt: Date.now() + 1_000_000 * hour,
  });
  const provider = credentials().ofController("aws");
  await provider.resolve(target, signal);
  vi.advanceTimersByTime(12 * hour);
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "2" });
});

it("keeps none that has expired already", async () => {
  respond = async () => ({ credential: { kind: "bearer", token: "x" }, expiresAt: Date.now() - 1 });
  const provider = credentials().ofController("aws");
  await provider.resolve(target, signal);
  await provider.resolve(target, signal);
  expect(requests).toHaveLength(2);
});

it("shares nothing between clouds, registries, accounts, namespaces and roles", async () => {
  const all = credentials();
  await all.ofController("aws").resolve(target, signal);
  await all.ofController("gcp").resolve(target, signal);
  await all.ofController("aws").resolve({ registry: "second.example", repository: "a" }, signal);
  await of(all).resolve(target, signal);
  await of(all, "other").resolve(target, signal);
  annotations = { role: "b" };
  await of(all).resolve(target, signal);
  expect(requests).toHaveLength(6);
  annotations = { role: "a" };
  await of(all).resolve(target, signal);
  expect(requests).toHaveLength(6);
});

it("keeps nothing for an account that was made anew under the same name", async () => {
  const all = credentials();
  expect(await of(all).resolve(target, signal)).toEqual({ kind: "bearer", token: "1" });
  uid = "2";
  expect(await of(all).resolve(target, signal)).toEqual({ kind: "bearer", token: "2" });
});

it("lets whoever waits for another's exchange that fails do it itself", async () => {
  const all = credentials();
  const { promise, reject } = Promise.withResolvers<CloudToken>();
  respond = async () => await promise;
  const failing = of(all).resolve(target, signal);
  await vi.waitUntil(() => requests.length === 1);
  respond = async () => ({ credential: { kind: "bearer", token: "x" }, expiresAt: Date.now() + hour });
  const waiting = of(all).resolve(target, signal);
  reject(new CodedError("CloudAuthFailed", "the other's"));
  await expect(failing).rejects.toMatchObject({ code: "CloudAuthFailed" });
  expect(await waiting).toEqual({ kind: "bearer", token: "x" });
});

it("hands the account over with its annotations and a token for the wanted audience", async () => {
  respond = async ({ account }) => ({
    credential: { kind: "bearer", token: (await account?.token("sts")) ?? "" },
    expiresAt: Date.now() + hour,
  });
  expect(await of(credentials()).resolve(target, signal)).toEqual({ kind: "bearer", token: "apps/puller for sts" });
  expect(requests[0]?.account).toMatchObject({ namespace: "apps", name: "puller", annotations: { role: "a" } });
});

it("asks once for all who wait", async () => {
  const { promise, resolve } = Promise.withResolvers<CloudToken>();
  respond = async () => await promise;
  const provider = credentials().ofController("aws");
  const controller = new AbortController();
  const all = [
    provider.resolve(target, signal),
    provider.resolve(target, signal),
    provider.resolve(target, controller.signal),
  ];
  controller.abort();
  await expect(all[2]).rejects.toMatchObject({ code: "Aborted" });
  resolve({ credential: { kind: "bearer", token: "x" }, expiresAt: Date.now() + hour });
  expect(await Promise.all(all.slice(0, 2))).toEqual([
    { kind: "bearer", token: "x" },
    { kind: "bearer", token: "x" },
  ]);
  expect(requests).toHaveLength(1);
});

it("does not remember a failure", async () => {
  const provider = credentials().ofController("aws");
  respond = async () =>
    await Promise.reject(
      Object.assign(new Error("Could not load credentials\n at console"), { name: "CredentialsProviderError" }),
    );
  await expect(provider.resolve(target, signal)).rejects.toMatchObject({
    code: "CloudAuthFailed",
    message:
      "aws gave the controller no credentials for r.example: CredentialsProviderError: Could not load credentials",
  });
  await expect(of(credentials()).resolve(target, signal)).rejects.toMatchObject({
    message: expect.stringContaining("ServiceAccount apps/puller"),
  });
  respond = async () => ({ credential: { kind: "bearer", token: "x" }, expiresAt: Date.now() + hour });
  expect(await provider.resolve(target, signal)).toEqual({ kind: "bearer", token: "x" });
});

it("refuses another cloud's registry before anything is asked", async () => {
  await expect(
    credentials().ofController("aws").resolve({ registry: "other.example", repository: "a" }, signal),
  ).rejects.toMatchObject({ code: "InvalidSpec" });
  expect(requests).toEqual([]);
});

it("names a ServiceAccount that is missing", async () => {
  await expect(of(credentials(), "apps", "absent").resolve(target, signal)).rejects.toMatchObject({
    code: "SecretNotFound",
    message: expect.stringContaining("apps/absent"),
  });
});

it("stops where the work was aborted", async () => {
  await expect(credentials().ofController("aws").resolve(target, AbortSignal.abort())).rejects.toMatchObject({
    code: "Aborted",
  });
});
