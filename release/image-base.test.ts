import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { baseName, defaultBase } from "./image-base.ts";

const read = (file: string): string => readFileSync(new URL(`../${file}`, import.meta.url), "utf8");
const digest = `sha256:${"a".repeat(64)}`;

it("is by digest, and the same as the Dockerfile's", () => {
  expect(baseName(defaultBase)).toBe("gcr.io/distroless/nodejs24-debian13:nonroot");
  expect(read("Dockerfile")).toContain(`\nFROM ${defaultBase.slice("oci://".length)}\n`);
});

it("is where Renovate looks for it", () => {
  const { customManagers } = JSON.parse(read("renovate.json")) as {
    customManagers: { managerFilePatterns: string[]; matchStrings: string[] }[];
  };
  const [{ managerFilePatterns, matchStrings } = { managerFilePatterns: [], matchStrings: [] }] = customManagers;
  expect(managerFilePatterns).toEqual(["release/image-base.ts"]);
  const found = new RegExp(matchStrings[0] ?? "").exec(read("release/image-base.ts"));
  expect(
    `oci://${found?.groups?.["depName"]}:${found?.groups?.["currentValue"]}@${found?.groups?.["currentDigest"]}`,
  ).toBe(defaultBase);
});

it.each([
  [`oci://registry.example/node:24@${digest}`, "registry.example/node:24"],
  [`oci://registry.example:5000/node@${digest}`, "registry.example:5000/node"],
  ["oci-layout:///tmp/base", "/tmp/base"],
])("%s is called %s", (base, name) => {
  expect(baseName(base)).toBe(name);
});

it.each([
  ["oci://registry.example/node:24", "write oci://registry.example/node:24@sha256:"],
  ["oci://registry.example/node@sha256:abc", "write oci://registry.example/node@sha256:"],
  ["registry.example/node:24", "is not a base"],
])("%s is refused", (base, message) => {
  expect(() => baseName(base)).toThrow(message);
});
