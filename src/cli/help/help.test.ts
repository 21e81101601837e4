import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import about from "../../../package.json" with { type: "json" };
import { runStrata } from "../../testing/command-io.ts";
import { commands } from "../commands.ts";
import { choicesOf, flagsOf } from "./flags.ts";

describe("strata help", () => {
  it("is the overview without a command", async () => {
    expect(await runStrata(["help"])).toEqual(await runStrata(["--help"]));
  });

  it.each(Object.keys(commands))("%s says what %s --help says", async (name) => {
    const { code, stdout } = await runStrata(["help", name]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: (await runStrata([name, "--help"])).stdout });
  });

  it.each([[["nothing"]], [["constructor"]], [["build", "tree"]], [["build", "--markdown"]]])(
    "refuses %j",
    async (args) => {
      const { code, stdout, stderr } = await runStrata(["help", ...args]);
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr).toContain("strata help --help");
    },
  );

  it("writes the page of the documentation", async () => {
    const { code, stdout } = await runStrata(["help", "--markdown"]);
    expect(code).toBe(0);
    expect(stdout).toBe(readFileSync(new URL("../../../docs/cli.md", import.meta.url), "utf8"));
    for (const name of Object.keys(commands)) expect(stdout).toContain(`\n## strata ${name}\n`);
  });
});

it("strata --version tells which one this is", async () => {
  const { code, stdout } = await runStrata(["--version"]);
  expect(code).toBe(0);
  expect(stdout).toBe(`strata ${about.version} (from its sources, Node.js ${process.version})\n`);
});

describe("the flags of a help", () => {
  const help = `
Flags:
  -f DIR|FILE                        what to read
  -o, --output json|yaml             print it
                                     for a program
  --operation Extract|Copy|ExtractAll
  --long NAME[,version=VERSION][,KEY=VALUE]
                                     on the next line
  --force                            remove everything
`;
  const options = {
    force: { type: "boolean" },
    file: { type: "string", short: "f" },
    output: { type: "string", short: "o" },
    operation: { type: "string" },
    long: { type: "string" },
    hidden: { type: "string" },
  } as const;

  it("are those that are parsed, in the words and the order of the help", () => {
    const { hidden: _, ...explained } = options;
    expect(flagsOf({ help, options: explained })).toEqual([
      { long: "file", short: "f", takes: "DIR|FILE", description: "what to read" },
      { long: "output", short: "o", takes: "json|yaml", description: "print it for a program" },
      { long: "operation", short: undefined, takes: "Extract|Copy|ExtractAll", description: "" },
      { long: "long", short: undefined, takes: "NAME[,version=VERSION][,KEY=VALUE]", description: "on the next line" },
      { long: "force", short: undefined, takes: "", description: "remove everything" },
    ]);
  });

  it("are there without words as well", () => {
    expect(flagsOf({ help, options })).toContainEqual({
      long: "hidden",
      short: undefined,
      takes: "VALUE",
      description: "",
    });
  });

  it.each([
    ["json|yaml", ["json", "yaml"]],
    ["One|First|All", ["One", "First", "All"]],
    ["DIR|FILE.tar.gz|-", []],
    ["KEY=GLOB", []],
    ["", []],
  ])("that take %s offer %j", (takes, choices) => {
    expect(choicesOf({ long: "x", short: undefined, takes, description: "" })).toEqual(choices);
  });
});
