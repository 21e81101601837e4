import { describe, expect, it, vi } from "vitest";
import { accessKey } from "./access-key.ts";
import { SharedCache } from "./shared-cache.ts";
import { patienceFor, SharedWork } from "./shared-work.ts";

const { signal } = new AbortController();
const [alice, bob] = [accessKey({ who: "alice" }), accessKey({ who: "bob" })];
const patient = { patienceMs: 60_000, signal };
const stopped = (): Error => new Error("stopped");
const never = async (): Promise<never> => await new Promise(() => undefined);

describe("an access", () => {
  const parts = { name: "registry.test/app", insecure: false, first: undefined, tls: undefined, proxy: undefined };

  it("is the same for those who differ in nothing", () => {
    expect(accessKey(parts)).toBe(accessKey({ ...parts }));
  });

  it.each([
    { name: "registry.test/other" },
    { insecure: true },
    { first: { kind: "basic", username: "a", password: "b" } },
    { first: { kind: "bearer", token: "a" } },
    { tls: { ca: "ca" } },
    { tls: { cert: "cert", key: "key" } },
    { proxy: { address: "http://proxy" } },
    { proxy: { address: "http://proxy", username: "a" } },
  ])("is another one with %o", (change) => {
    expect(accessKey({ ...parts, ...change })).not.toBe(accessKey(parts));
  });

  it("shows nothing of what it was made from", () => {
    expect(accessKey({ first: "secret" })).toMatch(/^[A-Za-z0-9+/]{43}=$/);
  });
});

describe("a shared cache", () => {
  it("shows an entry to its access alone, and lets no other replace or delete it", () => {
    const cache = new SharedCache<{ of: string }>({ max: 10 });
    cache.set(alice, "x", { of: "alice" });
    expect([cache.get(bob, "x"), cache.has(bob, "x")]).toEqual([undefined, false]);
    cache.set(bob, "x", { of: "bob" });
    cache.delete(bob, "x");
    expect(cache.get(alice, "x")).toEqual({ of: "alice" });
  });

  it("deletes one value and not the next one of that name", () => {
    const cache = new SharedCache<{ of: string }>({ max: 10 });
    const [old, fresh] = [{ of: "old" }, { of: "fresh" }];
    cache.set(alice, "x", fresh);
    cache.deleteOnly(alice, "x", old);
    expect(cache.get(alice, "x")).toBe(fresh);
    cache.deleteOnly(alice, "x", fresh);
    expect(cache.get(alice, "x")).toBeUndefined();
  });
});

describe("shared work", () => {
  it("is done once for those with the same access", async () => {
    const shared = new SharedWork<string>(stopped);
    const work = vi.fn<() => Promise<string>>(async () => await Promise.resolve("done"));
    expect(await Promise.all([1, 2, 3].map(() => shared.run(alice, "x", work, patient)))).toEqual(
      Array(3).fill("done"),
    );
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("is done by each of those with different accesses", async () => {
    const shared = new SharedWork<string>(stopped);
    void shared.run(bob, "x", never, patient);
    expect(await shared.run(alice, "x", async () => await Promise.resolve("own"), patient)).toBe("own");
  });

  it.each([
    ["fails", async () => await Promise.reject(new Error("1 ms was not enough")), patient],
    ["takes too long", never, { patienceMs: 1, signal }],
  ])("that %s for another is done by the one who waits", async (_, others, asker) => {
    const shared = new SharedWork<string>(stopped);
    shared.run(alice, "x", others, patient).catch(() => undefined);
    expect(await shared.run(alice, "x", async () => await Promise.resolve("own"), asker)).toBe("own");
  });

  it("ends for whoever is aborted, waiter or doer, and goes on for the others", async () => {
    const shared = new SharedWork<string>(stopped);
    const abort = new AbortController();
    const { promise, resolve } = Promise.withResolvers<string>();
    const work = vi.fn<() => Promise<string>>(async () => await promise);
    const aborted = { patienceMs: 60_000, signal: abort.signal };
    const given = [aborted, patient, aborted].map((asker) => shared.run(alice, "x", work, asker));
    abort.abort();
    await expect(given[0]).rejects.toThrow("stopped");
    await expect(given[2]).rejects.toThrow("stopped");
    resolve("done");
    expect(await given[1]).toBe("done");
    await expect(shared.run(alice, "x", work, aborted)).rejects.toThrow("stopped");
    expect(work).toHaveBeenCalledTimes(1);
  });

  it("that has ended is done anew", async () => {
    const shared = new SharedWork<number>(stopped);
    let runs = 0;
    const work = async () => await Promise.resolve(++runs);
    expect([await shared.run(alice, "x", work, patient), await shared.run(alice, "x", work, patient)]).toEqual([1, 2]);
  });

  it.each([
    [1, 0.5],
    [4000, 2000],
    [60_000, 5000],
  ])("leaves time to do it oneself: of %i ms, %i are waited", (timeoutMs, patienceMs) => {
    expect(patienceFor(timeoutMs)).toBe(patienceMs);
  });
});
