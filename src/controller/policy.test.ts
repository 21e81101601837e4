import { describe, expect, it } from "vitest";
import { CodedError, type ErrorCode } from "../errors.ts";
import { failurePolicies, judge, type FailingStage } from "./policy.ts";

const codes = Object.keys(failurePolicies) as ErrorCode[];
const unread = { reason: "ReadOperationFailed" };
const untrusted = { condition: "SourceVerified", reason: "VerificationError" };

/** What fails at a stage is called by it; every other code is called as anywhere else. */
const renamed: Readonly<Record<FailingStage, Partial<Record<ErrorCode, object>>>> = {
  choosing: {
    InvalidPattern: unread,
    InvalidSpec: unread,
    RegistryUnreachable: unread,
    RegistryTimeout: unread,
    RegistryUnavailable: unread,
    RegistryResponseInvalid: unread,
    RegistryUnsupported: unread,
    RateLimited: unread,
    Unauthorized: unread,
    Forbidden: unread,
    TlsFailed: unread,
    NotFound: unread,
    DigestMismatch: unread,
    SizeMismatch: unread,
    NoManifestMatch: unread,
    Aborted: unread,
  },
  trust: {
    InvalidPattern: untrusted,
    InvalidSpec: untrusted,
    SecretNotFound: untrusted,
    SecretInvalid: untrusted,
    CloudAuthFailed: untrusted,
  },
};

describe.each(["choosing", "trust"] as const)("while %s", (stage) => {
  it.each(codes)("%s keeps what follows from it, and is called as it should be", (code) => {
    const error = new CodedError(code, "so it is");
    const usual = judge(error);
    const other = renamed[stage][code];
    expect(judge(error, stage)).toEqual(
      other === undefined ? usual : { ...usual, ...other, isNamed: true, message: `${code}: so it is` },
    );
    expect(judge(error, stage).next).toBe(failurePolicies[code].next);
  });
});

it.each<[string, unknown, ErrorCode, string]>([
  ["an abort of somebody else's", new DOMException("gone", "AbortError"), "Aborted", "gone"],
  ["what nobody has expected", new TypeError("x is undefined"), "Internal", "x is undefined"],
  ["what is not an error", "text", "Internal", "text"],
])("%s has a verdict, too", (_, error, code, message) => {
  expect(judge(error)).toEqual({ ...failurePolicies[code], code, message });
});
