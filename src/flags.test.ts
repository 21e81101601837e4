import { describe, expect, it } from "vitest";
import { CodedError } from "./errors.ts";
import { describeFlags, parseFlags, parseGoDuration } from "./flags.ts";

const table = {
  "storage-path": { type: "string", default: "/data", env: "STORAGE_PATH", description: "where" },
  "watch-all-namespaces": { type: "boolean", default: true, description: "all" },
  concurrent: { type: "integer", default: 4, description: "how many" },
  "max-retry-delay": { type: "duration", default: "15m", description: "pause" },
} as const;

describe("parseFlags", () => {
  it("gives the defaults, durations in milliseconds", () => {
    expect(parseFlags(table, [], {})).toEqual({
      "storage-path": "/data",
      "watch-all-namespaces": true,
      concurrent: 4,
      "max-retry-delay": 900_000,
    });
  });

  it.each([
    [["--concurrent=10"], { concurrent: 10 }],
    [["--concurrent", "10"], { concurrent: 10 }],
    [["-concurrent=10"], { concurrent: 10 }],
    [["--watch-all-namespaces=false"], { "watch-all-namespaces": false }],
    [["--watch-all-namespaces"], { "watch-all-namespaces": true }],
    [["--storage-path=/a=b"], { "storage-path": "/a=b" }],
    [["--storage-path="], { "storage-path": "" }],
    [["--max-retry-delay=1m30s"], { "max-retry-delay": 90_000 }],
  ])("reads %j", (argv, expected) => {
    expect(parseFlags(table, argv, {})).toMatchObject(expected);
  });

  it("lets the environment replace a default and a flag replace both", () => {
    expect(parseFlags(table, [], { STORAGE_PATH: "/env" })["storage-path"]).toBe("/env");
    expect(parseFlags(table, ["--storage-path=/flag"], { STORAGE_PATH: "/env" })["storage-path"]).toBe("/flag");
    expect(parseFlags(table, [], { STORAGE_PATH: "" })["storage-path"]).toBe("/data");
  });

  it.each([
    [["--concurrent=many"], "whole number"],
    [["--concurrent"], "needs a value"],
    [["--watch-all-namespaces=maybe"], "true or false"],
    [["--max-retry-delay=15"], "duration"],
    [["--storage-pth=/x"], "did you mean --storage-path"],
    [["--constructor=x"], "unknown flag"],
    [["extra"], "is not a flag"],
  ])("refuses %j and says what to write", (argv, message) => {
    let thrown: unknown;
    try {
      parseFlags(table, argv, {});
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(CodedError);
    expect((thrown as CodedError).code).toBe("InvalidSpec");
    expect((thrown as CodedError).message).toContain(message);
  });

  it("describes every flag", () => {
    for (const name of Object.keys(table)) expect(describeFlags(table)).toContain(`--${name} `);
  });
});

describe("parseGoDuration", () => {
  it.each([
    ["0", 0],
    ["500ms", 500],
    ["1.5s", 1500],
    ["1h30m", 5_400_000],
    ["", undefined],
    ["10", undefined],
    ["-1s", undefined],
    ["1d", undefined],
    ["1m 30s", undefined],
  ])("%s", (text, expected) => {
    expect(parseGoDuration(text)).toBe(expected);
  });
});
