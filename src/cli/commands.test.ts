import { describe, expect, it } from "vitest";
import { runStrata } from "../testing/command-io.ts";
import { commands } from "./commands.ts";
import type { Flags } from "./flags/flag.ts";
import { commonFlags } from "./flags/flags.ts";

const names = Object.keys(commands);

describe("strata", () => {
  it("lists every command", async () => {
    const { code, stdout } = await runStrata(["--help"]);
    expect(code).toBe(0);
    for (const name of names) expect(stdout).toMatch(new RegExp(`^  ${name} +${commands[name]!.summary}$`, "m"));
  });

  it.each([
    ["biuld", "build"],
    ["tre", "tree"],
    ["reconcil", "reconcile"],
    ["Get", "get"],
    ["desc", "describe"],
  ])("asks for %s whether %s was meant", async (written, meant) => {
    const { code, stdout, stderr } = await runStrata([written]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`no command "${written}"; did you mean ${meant}?\n`);
  });

  it("has help for a command, and flags after it alone", async () => {
    expect((await runStrata(["help", "tree"])).stdout).toBe((await runStrata(["tree", "--help"])).stdout);
    expect(await runStrata(["help", "tere"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean tree?"),
    });
    expect(await runStrata(["--insecure", "tree"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("flags come after the command"),
    });
  });

  it.each([
    ["--vresion", "--version"],
    ["--hlep", "--help"],
  ])("asks for %s whether %s was meant, and prints no list", async (written, meant) => {
    expect(await runStrata([written])).toEqual({
      code: 2,
      stdout: "",
      stderr: `error: strata has no flag "${written}"; did you mean ${meant}?\nSee: strata --help\n`,
    });
  });

  it.each([[[]], [["constructor"]], [["unknown"]]])("is used wrongly with %j", async (args) => {
    const { code, stderr } = await runStrata(args);
    expect(code).toBe(2);
    expect(stderr).toContain("Usage: strata COMMAND");
  });

  it.each(names)("%s explains itself", async (name) => {
    const { code, stdout, stderr } = await runStrata([name, "--help"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toMatch(/^strata [^]*\nUsage:\n {2}strata [^]*\nExamples?:\n/);
    expect(Math.max(...stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(150);
  });

  it.each(names)("%s explains itself in 80 columns", async (name) => {
    const { stdout } = await runStrata([name, "--help"], { columns: 80 });
    const wide = stdout.split("\n").filter((line) => line.length > 80 && /\S\s+\S/.test(line.trim().slice(0, 80)));
    // What is to be copied stays whole: a line of one word, or an example.
    expect(wide.filter((line) => !/^ *\S+$|^ {2,}\S+ oci|strata |:\/\//.test(line))).toEqual([]);
  });

  it.each(names)("%s has the summary that the list gives it", async (name) => {
    const command = await commands[name]!.load();
    const summary = commands[name]!.summary;
    if (summary.startsWith("The same as ")) expect(command).toBe(await commands[summary.split(" ").at(-1)!]!.load());
    else expect(summary).toBe(command.summary);
  });

  it.each(names)("%s explains each of its flags, and no other", async (name) => {
    const { help, options } = await commands[name]!.load();
    const all: Flags = { ...options, ...commonFlags };
    const flags = Object.entries(all).map(([long, { short }]) => (short === undefined ? `--${long}` : `-${short}`));
    const explained = [...help.matchAll(/^ {2}(?:-(?<short>\w), )?(?<flag>--?[a-z][a-z-]*)/gm)].map(({ groups }) =>
      groups!["short"] === undefined ? groups!["flag"]! : `-${groups!["short"]}`,
    );
    expect(explained.toSorted()).toEqual(flags.toSorted());
  });

  it.each(names)("%s refuses a flag that it does not know", async (name) => {
    const { code, stdout, stderr } = await runStrata([name, "--no-such-flag"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(`strata ${name} --help`);
  });
});
