import { afterEach, expect, test, vi } from "vitest";
import { CodedError, type ErrorCode } from "../errors.ts";
import { backoffMs, HostGate, withRetry } from "./retry.ts";

const policy = { attempts: 4, baseMs: 1, maxMs: 4, maxWaitMs: 80 };
const signal = new AbortController().signal;
const failing = (code: ErrorCode, options: { status?: number; retryAfterMs?: number } = {}): CodedError =>
  new CodedError(code, "x", {
    details: { status: options.status ?? 0 },
    ...(options.retryAfterMs !== undefined && { retryAfterMs: options.retryAfterMs }),
  });

test("back-off doubles up to its limit, and is spread out", () => {
  const samples = Array.from({ length: 200 }, () => backoffMs({ ...policy, baseMs: 100, maxMs: 300 }, 1));
  expect(Math.max(...samples)).toBeLessThanOrEqual(200);
  expect(Math.max(...samples) - Math.min(...samples)).toBeGreaterThan(100);
  expect(
    Math.max(...Array.from({ length: 200 }, () => backoffMs({ ...policy, baseMs: 100, maxMs: 300 }, 9))),
  ).toBeLessThanOrEqual(300);
});

test.each([
  ["503", failing("RegistryUnavailable", { status: 503 }), 4],
  ...[408, 425, 499, 500, 502, 504, 507, 520, 522, 524, 529].map(
    (status) => [String(status), failing("RegistryUnavailable", { status }), 4] as const,
  ),
  ["505", failing("RegistryUnavailable", { status: 505 }), 1],
  ["501", failing("RegistryUnsupported", { status: 501 }), 1],
  ["429", failing("RateLimited"), 4],
  ["404", failing("NotFound"), 1],
  [
    "a reset",
    new CodedError("RegistryUnreachable", "x", { cause: Object.assign(new Error("x"), { code: "ECONNRESET" }) }),
    4,
  ],
  [
    "an unknown name",
    new CodedError("RegistryUnreachable", "x", { cause: Object.assign(new Error("x"), { code: "ENOTFOUND" }) }),
    1,
  ],
  ["a bad certificate", failing("TlsFailed"), 1],
] as [string, CodedError, number][])("%s is tried %#", async (_, error, times) => {
  let tried = 0;
  const attempt = async (): Promise<never> => {
    tried++;
    return await Promise.reject(error);
  };
  await expect(withRetry({ policy, gate: new HostGate(), key: "h", signal }, attempt)).rejects.toBe(error);
  expect(tried).toBe(times);
});

test("Retry-After holds back every request with the same key, and no other", async () => {
  const gate = new HostGate();
  let tried = 0;
  const started = performance.now();
  const context = { policy, gate, key: "h", signal };
  const first = withRetry(context, async () => {
    if (tried++ === 0) throw failing("RateLimited", { retryAfterMs: 60 });
    return await Promise.resolve(performance.now());
  });
  await new Promise((done) => setTimeout(done, 5));
  const other = await withRetry({ ...context, key: "other" }, () => Promise.resolve(performance.now()));
  const same = await withRetry(context, () => Promise.resolve(performance.now()));
  expect(other).toBeLessThan(same);
  for (const held of [same, await first]) expect(held - started).toBeGreaterThanOrEqual(59);
});

afterEach(() => vi.useRealTimers());

test.each([
  ["back", -3_600_000],
  ["forward", 3_600_000],
])("Retry-After means the time that passes, also where the clock is set %s", async (_, step) => {
  vi.useFakeTimers({ toFake: ["Date"] });
  const gate = new HostGate();
  gate.block("h", 60);
  vi.setSystemTime(Date.now() + step);
  const started = performance.now();
  await gate.pass("h", 1000, signal);
  expect(performance.now() - started).toBeGreaterThan(40);
  expect(performance.now() - started).toBeLessThan(1000);
});

test("what failed is told where another attempt would be too late", async () => {
  const context = { policy: { ...policy, baseMs: 1000, maxMs: 1000 }, gate: new HostGate(), key: "h", signal };
  const failed = failing("RegistryUnavailable", { status: 503 });
  const started = performance.now();
  await expect(withRetry({ ...context, leftMs: () => 0 }, async () => await Promise.reject(failed))).rejects.toBe(
    failed,
  );
  expect(performance.now() - started).toBeLessThan(500);
});

test("a long Retry-After is reported instead of waited for", async () => {
  const gate = new HostGate();
  const context = { policy, gate, key: "h", signal };
  let tried = 0;
  const attempt = async (): Promise<never> => {
    tried++;
    return await Promise.reject(failing("RateLimited", { retryAfterMs: 5000 }));
  };
  await expect(withRetry(context, attempt)).rejects.toMatchObject({ code: "RateLimited", retryAfterMs: 5000 });
  const held: unknown = await withRetry(context, attempt).catch((error: unknown) => error);
  expect(held).toMatchObject({ code: "RateLimited" });
  expect((held as CodedError).retryAfterMs).toBeGreaterThan(4000);
  expect(tried).toBe(1);
});

test("an abort ends a pause", async () => {
  const abort = new AbortController();
  const waiting = withRetry(
    { policy: { ...policy, baseMs: 60_000, maxMs: 60_000 }, gate: new HostGate(), key: "h", signal: abort.signal },
    () => Promise.reject(failing("RateLimited")),
  );
  setTimeout(() => abort.abort(), 10);
  await expect(waiting).rejects.toMatchObject({ code: "Aborted" });
});
