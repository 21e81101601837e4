import { describe, expect, it } from "vitest";
import { type CodedError, codeOf } from "../errors.ts";
import {
  askedFor,
  digestIn,
  formatReference,
  formatVersion,
  isTag,
  namesVersion,
  parseReference,
  tagOf,
} from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

describe("references", () => {
  it.each([
    ["oci://ghcr.io/org/app", { registry: "ghcr.io", repository: "org/app" }],
    ["oci://ghcr.io/org/app:1.0.0", { registry: "ghcr.io", repository: "org/app", tag: "1.0.0" }],
    [`oci://ghcr.io/app@${digest}`, { registry: "ghcr.io", repository: "app", digest }],
    [`oci://ghcr.io/app:v1@${digest}`, { registry: "ghcr.io", repository: "app", tag: "v1", digest }],
    ["localhost:5000/app:main", { registry: "localhost:5000", repository: "app", tag: "main" }],
    ["oci://localhost:5000/app", { registry: "localhost:5000", repository: "app" }],
    ["oci://[::1]:5000/app", { registry: "[::1]:5000", repository: "app" }],
    ["oci://GHCR.io/app", { registry: "ghcr.io", repository: "app" }],
    ["oci://h/a__b/c---d/e.f_g:_x", { registry: "h", repository: "a__b/c---d/e.f_g", tag: "_x" }],
    [`oci://h/a:${"t".repeat(128)}`, { registry: "h", repository: "a", tag: "t".repeat(128) }],
  ])("%s", (text, expected) => {
    const reference = parseReference(text);
    expect(reference).toEqual({ kind: "registry", ...expected });
    expect(parseReference(formatReference(reference))).toEqual(reference);
  });

  it.each([
    ["oci-layout://./dir", { path: "./dir" }],
    ["oci-layout:///abs/dir:1.0.0", { path: "/abs/dir", tag: "1.0.0" }],
    [`oci-layout://dir@${digest}`, { path: "dir", digest }],
    ["oci-layout://dir.d/x:y", { path: "dir.d/x", tag: "y" }],
    ["oci-layout://c:x/y", { path: "c:x/y" }],
  ])("%s", (text, expected) => {
    expect(parseReference(text)).toEqual({ kind: "layout", ...expected });
  });

  it.each([
    "",
    "app",
    "oci://",
    "oci://host",
    "oci:///app",
    "https://host/app",
    "docker://host/app",
    "oci://host/",
    "oci://host/App",
    "oci://host/a//b",
    "oci://host/a/",
    "oci://host/a:",
    "oci://host/a:-x",
    `oci://host/a:${"t".repeat(129)}`,
    "oci://host/../etc",
    "oci://host/a?x=y",
    "oci://host/a#b",
    "oci://ho st/a",
    "oci://host:port/a",
    "oci://host:123456/a",
    `oci://host/${"a".repeat(256)}`,
    `oci://host/${"a-".repeat(100_000)}`,
    "oci-layout://",
    "oci-layout://dir:a b",
    "oci-layout://a\0b",
  ])("%# is refused", (text) => {
    expect(outcome(text)).toBe("InvalidReference");
  });

  it.each(["oci://host/a@sha256:abc", "oci://host/a@", `oci://host/a@${digest}0`, "oci-layout://dir@md5:1"])(
    "%s has no good digest",
    (text) => {
      expect(outcome(text)).toBe("InvalidDigest");
    },
  );

  it("never repeats credentials", () => {
    try {
      parseReference("oci://me:secret@host/app");
    } catch (error) {
      expect((error as CodedError).code).toBe("InvalidReference");
      expect((error as CodedError).message).not.toContain("secret");
      return;
    }
    throw new Error("was taken");
  });

  it.each([
    ["1.0.0", true],
    ["_", true],
    ["a".repeat(128), true],
    ["a".repeat(129), false],
    [".x", false],
    ["a/b", false],
    ["a:b", false],
    ["", false],
  ])("isTag(%j) is %s", (text, expected) => {
    expect(isTag(text)).toBe(expected);
  });
});

describe("versions", () => {
  it.each([
    [{}, { asked: "latest", tag: "latest", text: "", named: false }],
    [{ tag: "v1" }, { asked: "v1", tag: "v1", text: "v1", named: true }],
    [{ digest }, { asked: digest, tag: undefined, text: digest, named: true }],
    [
      { tag: "v1", digest },
      { asked: digest, tag: "v1", text: `v1@${digest}`, named: true },
    ],
  ])("of %j", (version, expected) => {
    const { asked, tag, text, named } = expected;
    expect(askedFor(version)).toBe(asked);
    expect(tagOf(version)).toBe(tag);
    expect(formatVersion(version)).toBe(text);
    expect(namesVersion(version)).toBe(named);
  });

  it.each([
    ["v1", undefined],
    [digest, digest],
  ])("digestIn(%j) is %j", (text, expected) => {
    expect(digestIn(text)).toBe(expected);
  });

  it.each([
    ["a/b", "InvalidReference"],
    ["", "InvalidReference"],
    ["sha256:short", "InvalidDigest"],
  ])("digestIn(%j) fails with %s", (text, code) => {
    expect(() => digestIn(text)).toThrow(expect.objectContaining({ code }));
  });
});

function outcome(text: string): string {
  try {
    return JSON.stringify(parseReference(text));
  } catch (error) {
    return codeOf(error);
  }
}
