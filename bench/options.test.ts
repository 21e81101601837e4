import { describe, expect, it } from "vitest";
import { casesFor } from "./cases.ts";
import { chooseCases, controllerFlagsOf, parseOptions } from "./options.ts";

describe("options", () => {
  it("have defaults", () => {
    expect(parseOptions([])).toEqual({
      shrink: 1,
      only: undefined,
      rounds: 3,
      quick: false,
      concurrent: 10,
      kubeApiQps: undefined,
      json: undefined,
      write: false,
      profile: false,
      list: false,
      help: false,
    });
    expect(parseOptions(["--quick"])).toMatchObject({ quick: true, rounds: 1 });
    expect(parseOptions(["--quick", "--rounds=5"]).rounds).toBe(5);
  });

  it.each([
    ["--rounds", "0"],
    ["--shrink", "0"],
    ["--shrink", "10", "--write"],
    ["--rounds", "many"],
    ["--concurrent", "-1"],
    ["--kube-api-qps", "1.5"],
    ["--unknown"],
    ["stray"],
  ])("refuse %s %s", (...args) => {
    expect(() => parseOptions(args)).toThrow();
  });

  it("become flags that both controllers take", () => {
    expect(controllerFlagsOf(parseOptions([]))).toEqual(["--concurrent=10"]);
    expect(controllerFlagsOf(parseOptions(["--concurrent=4", "--kube-api-qps=500"]))).toEqual([
      "--concurrent=4",
      "--kube-api-qps=500",
      "--kube-api-burst=3000",
    ]);
  });
});

describe("the rows of a run", () => {
  const rows = [{ name: "a" }, { name: "b", slow: true }, { name: "c" }];
  it.each<[string[], string[]]>([
    [[], ["a", "b", "c"]],
    [["--quick"], ["a", "c"]],
    [["--quick", "--only=b"], ["b"]],
    [["--only=c,a"], ["a", "c"]],
  ])("with %j are %j", (args, expected) => {
    expect(chooseCases(rows, parseOptions(args)).map(({ name }) => name)).toEqual(expected);
  });

  it("that do not exist are named", () => {
    expect(() => chooseCases(rows, parseOptions(["--only=a,d,e"]))).toThrow(/no row d, e; there are a, b, c/);
  });
});

it("every case has a name and a title of its own", () => {
  const cases = casesFor(1);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length);
});
