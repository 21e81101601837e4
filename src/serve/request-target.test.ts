import { expect, test } from "vitest";
import { parseRequestTarget } from "./request-target.ts";

test.each([
  ["/a/b/c.tar.gz", "a/b/c.tar.gz"],
  ["/", ""],
  ["/a%2Db", "a-b"],
  ["/a?x=1", "a"],
  ["http://host:1/a/b", "a/b"],
  ["HTTPS://host/a", "a"],
  ["http://host/", ""],
  // Kept as they are: nothing that is served has such a path.
  ["/a/../b", "a/../b"],
  ["/a/%2e%2e/b", "a/../b"],
  ["//a//b", "/a//b"],
  ["/%252e%252e/a", "%2e%2e/a"],
])("%s asks for %j", (target, path) => {
  expect(parseRequestTarget(target)?.path).toBe(path);
});

test.each([
  "",
  "*",
  "a/b",
  "host:443",
  "http://host",
  "ftp://host/a",
  "/..%2f..%2fetc/passwd",
  "/a%5cb",
  "/a\\b",
  "/a%00",
  "/a%0a",
  "/%",
  "/%c0%af",
  "/%ff",
  "/a#b",
])("%j asks for nothing that could exist", (target) => {
  expect(parseRequestTarget(target)).toBeUndefined();
});

test("the query is kept", () => {
  expect(parseRequestTarget("/v2/a/tags/list?n=2&last=a%2Bb")?.query.get("last")).toBe("a+b");
});
