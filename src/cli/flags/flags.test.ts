import { describe, expect, it } from "vitest";
import { UsageError } from "../command.ts";
import type { Flags } from "./flag.ts";
import { parseFlags, parseOnlyFlags } from "./flags.ts";
import { flagsHelp } from "./help.ts";

const flags = {
  insecure: { type: "boolean", help: "plain HTTP", otherNames: ["plain-http"] },
  platform: { type: "string", takes: "OS/ARCH", help: "by platform" },
  "media-type": { type: "string", takes: "GLOB", help: "by media type" },
  annotation: { type: "string", multiple: true, takes: "KEY=VALUE", help: "may be repeated" },
  offset: { type: "string", takes: "N", help: "which" },
  file: { type: "string", short: "f", takes: "FILE", help: "word ".repeat(40).trim() },
  output: { type: "string", short: "o", choices: ["json", "yaml", "name"], help: "for a program" },
} as const satisfies Flags;

const refusal = (...args: string[]): string => {
  try {
    parseFlags(flags, args);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  return "none";
};

describe("parseFlags", () => {
  it.each<[string[], object, string[]]>([
    [["a", "--insecure", "b"], { insecure: true }, ["a", "b"]],
    [["--insecure=true"], { insecure: true }, []],
    [["--insecure=false"], {}, []],
    [["--offset", "-1"], { offset: "-1" }, []],
    [["--file=-x"], { file: "-x" }, []],
    [["-f", "-"], { file: "-" }, []],
    [["-fx", "-o", "json"], { file: "x", output: "json" }, []],
    [["--annotation", "a=1", "--annotation=b=2"], { annotation: ["a=1", "b=2"] }, []],
    [["--", "--insecure", "--insecure=false"], {}, ["--insecure", "--insecure=false"]],
    [["--color=never", "x"], { color: "never" }, ["x"]],
  ])("reads %j", (args, values, positionals) => {
    const parsed = parseFlags(flags, args);
    expect({ ...parsed.values }).toEqual(values);
    expect(parsed.positionals).toEqual(positionals);
  });

  it.each([
    [["--platfrom", "x"], "there is no flag --platfrom; did you mean --platform?"],
    [["--type", "x"], "there is no flag --type; did you mean --media-type?"],
    [["--plain-http"], "there is no flag --plain-http; did you mean --insecure?"],
    [["--Insecure"], "there is no flag --Insecure; did you mean --insecure?"],
    [["-output", "json"], "flags of more than one letter have two dashes; write --output"],
    [["--zzz"], "there is no flag --zzz"],
    [["--constructor"], "there is no flag --constructor"],
    [["-x"], "there is no flag -x"],
    [["--insecure=maybe"], "--insecure takes no value; write it alone"],
    [["--platform"], "--platform needs a value: --platform OS/ARCH"],
    [
      ["--platform", "--insecure"],
      '--platform needs a value: --platform OS/ARCH, and "--insecure" looks like another flag; where it is the value, write --platform=--insecure',
    ],
    [["-o", "jsn"], '-o is "jsn"; write json (it takes json, yaml or name)'],
    [["--output", "wide"], '--output is "wide"; write json, yaml or name'],
    [["--color", "on"], '--color is "on"; write auto, always or never'],
  ])("says what is wrong with %j", (args, message) => {
    expect(refusal(...args)).toBe(message);
  });

  it("takes what stands alone only where that is asked for", () => {
    expect(() => parseOnlyFlags(flags, ["--insecure", "x"])).toThrow(/"x" stands alone/);
  });
});

it("the help has every flag, and its text in a column", () => {
  const lines = flagsHelp(flags).split("\n");
  expect(lines.map((line) => line.length).every((length) => length <= 120)).toBe(true);
  expect(lines).toContain(`  -o, --output json|yaml|name        for a program`);
  expect(lines.filter((line) => /^ {37}word/.test(line)).length).toBeGreaterThan(0);
  for (const name of [...Object.keys(flags), "color", "help"]) expect(lines.join("\n")).toContain(`--${name}`);
});
