import { describe, expect, it } from "vitest";
import type { CodedError } from "../../errors.ts";
import { errorEvent, mayRetry, networkError, statusError } from "./errors.ts";

describe("Retry-After", () => {
  it.each([
    ["of a Status", { details: { retryAfterSeconds: 2 } }, undefined, 2000],
    ["of the header first", { details: { retryAfterSeconds: 2 } }, 1000, 1000],
    ["of a Status, within reason", { details: { retryAfterSeconds: 1e9 } }, undefined, 300_000],
    ["that says nothing", { details: { retryAfterSeconds: 0 } }, undefined, undefined],
    ["that is missing", { details: null }, undefined, undefined],
  ])("is that %s", (_, body, header, expected) => {
    expect(statusError("get", { status: 429, body: JSON.stringify(body), retryAfterMs: header }).retryAfterMs).toBe(
      expected,
    );
  });
});

describe("messages", () => {
  it("are one line of a bounded length, whatever the server says", () => {
    const { message } = statusError("get Widget apps/one", {
      status: 500,
      body: JSON.stringify({ message: `a\nb\u001B[31m${"x".repeat(5000)}` }),
    });
    expect(message).toMatch(/^get Widget apps\/one: 500 a b\\u\{1b\}\[31mx+…$/u);
    expect(message.length).toBeLessThan(600);
  });

  it.each([
    ["null", null, "KubeUnreachable"],
    ["a Status", { code: 410, message: "too old resource version" }, "KubeConflict"],
    ["another Status", { code: 429 }, "KubeUnreachable"],
    [
      "a field that the kind does not have",
      { code: 500, message: "failed to create typed patch object: .status.a: field not declared in schema" },
      "KubeRejected",
    ],
  ])("are made of an ERROR event with %s", (_, object, code) => {
    expect(errorEvent("watch widgets", object).code).toBe(code);
  });
});

describe("repeating", () => {
  const { signal } = new AbortController();
  const network = (code: string): CodedError =>
    networkError("get", new TypeError("failed", { cause: Object.assign(new Error(code), { code }) }), signal);
  const status = (code: number, retryAfterSeconds?: number): CodedError =>
    statusError("get", { status: code, body: JSON.stringify({ details: { retryAfterSeconds } }) });

  it.each<[string, unknown, boolean, boolean]>([
    ["a refused connection", network("ECONNREFUSED"), true, true],
    [
      "several refused connections",
      networkError("get", new AggregateError([Object.assign(new Error("x"), { code: "ECONNREFUSED" })]), signal),
      true,
      true,
    ],
    ["a slow connection", network("UND_ERR_CONNECT_TIMEOUT"), true, true],
    ["a broken connection", network("ECONNRESET"), true, false],
    ["a slow answer", network("UND_ERR_HEADERS_TIMEOUT"), false, false],
    ["a name that does not exist", network("ENOTFOUND"), false, false],
    ["a certificate that is not trusted", network("SELF_SIGNED_CERT_IN_CHAIN"), false, false],
    ["a busy server", status(429), true, true],
    ["a server that is not ready", status(503), true, false],
    ["a server that says when", status(500, 1), true, true],
    ["a server error", status(500), false, false],
    ["a conflict", status(409), false, false],
    ["a defect", new TypeError("x"), false, false],
  ])("after %s", (_, error, repeatable, other) => {
    expect([mayRetry(error, true), mayRetry(error, false)]).toEqual([repeatable, other]);
  });
});
