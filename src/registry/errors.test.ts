import { expect, test } from "vitest";
import { CodedError } from "../errors.ts";
import { givenUp, networkError, requestName, statusError } from "./errors.ts";

test("requests are named without their query", () => {
  expect(requestName("GET", new URL("https://cdn.example/blob?X-Amz-Signature=secret#x"))).toBe(
    "GET https://cdn.example/blob",
  );
});

test.each<[number, string, string]>([
  [400, "", "RegistryResponseInvalid"],
  [401, "", "Unauthorized"],
  [403, "", "Forbidden"],
  [403, '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}', "RateLimited"],
  [404, "", "NotFound"],
  [405, "", "RegistryUnsupported"],
  [400, '{"errors":[{"code":"UNSUPPORTED"}]}', "RegistryUnsupported"],
  [400, '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}', "DigestMismatch"],
  [408, "", "RegistryUnavailable"],
  [429, "<html>", "RateLimited"],
  [500, "", "RegistryUnavailable"],
  [503, '{"errors":[null,7,{}]}', "RegistryUnavailable"],
  [302, '{"errors":"x"}', "RegistryResponseInvalid"],
])("status %i with %s is %s", (status, body, code) => {
  expect(statusError("GET x", status, { body, retryAfterMs: undefined }).code).toBe(code);
});

test("the registry's words are shown, on one line and not without end", () => {
  const message = `denied\n\u001b[31m${"x".repeat(5000)}`;
  const error = statusError("GET https://r/v2/a", 403, {
    body: JSON.stringify({ errors: [{ code: "DENIED", message }] }),
    retryAfterMs: undefined,
  });
  expect(error.message).toMatch(/^GET https:\/\/r\/v2\/a: 403 DENIED: denied \\u\{1b\}\[31mx+…$/);
  expect(error.message.length).toBeLessThan(400);
  expect(error.details).toMatchObject({ status: 403, registryCodes: ["DENIED"] });
});

test.each([
  ["Client sent an HTTP request to an HTTPS server.\n", "GET x: 400 Client sent an HTTP request to an HTTPS server."],
  ["<html><body>Bad Request", "GET x: 400"],
  ['{"error":"other"}', "GET x: 400 other"],
  ['{"details":"incorrect username or password"}', "GET x: 400 incorrect username or password"],
])("the body %j becomes the message %j", (body, message) => {
  expect(statusError("GET x", 400, { body, retryAfterMs: undefined }).message).toBe(message);
});

const coded = (code: string, name = "Error"): Error => Object.assign(new Error(code), { code, name });

test.each<[string, Error, string]>([
  ["a reset", coded("ECONNRESET"), "RegistryUnreachable"],
  ["a closed socket", coded("UND_ERR_SOCKET"), "RegistryUnreachable"],
  ["a slow connection", coded("UND_ERR_CONNECT_TIMEOUT"), "RegistryTimeout"],
  ["a slow head", coded("UND_ERR_HEADERS_TIMEOUT"), "RegistryTimeout"],
  ["a stalled body", coded("UND_ERR_BODY_TIMEOUT"), "RegistryTimeout"],
  ["an unknown CA", coded("UNABLE_TO_VERIFY_LEAF_SIGNATURE"), "TlsFailed"],
  ["an expired certificate", coded("CERT_HAS_EXPIRED"), "TlsFailed"],
  ["another host's certificate", coded("ERR_TLS_CERT_ALTNAME_INVALID"), "TlsFailed"],
  ["no TLS at all", coded("EPROTO"), "TlsFailed"],
  ["no HTTP", coded("", "HTTPParserError"), "RegistryResponseInvalid"],
  ["every address refused", new AggregateError([coded("ECONNREFUSED")]), "RegistryUnreachable"],
  [
    "our own refusal inside of a connection error",
    new Error("x", { cause: new CodedError("EndpointRefused", "y") }),
    "EndpointRefused",
  ],
  ["a timeout", new DOMException("x", "TimeoutError"), "RegistryTimeout"],
  ["an abort", new DOMException("x", "AbortError"), "Aborted"],
])("%s", (_, error, code) => {
  expect(networkError("GET x", error).code).toBe(code);
});

test("an ended signal says why", () => {
  const own = new CodedError("RateLimited", "x");
  expect(givenUp(AbortSignal.abort(own))).toBe(own);
  expect(givenUp(AbortSignal.abort()).code).toBe("Aborted");
  expect(givenUp(AbortSignal.abort(new DOMException("x", "TimeoutError"))).code).toBe("RegistryTimeout");
});
