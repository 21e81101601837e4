import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { transform } from "esbuild";
import { describe, expect, it } from "vitest";
import { entryOf, leastNode } from "./entry.ts";

const text = entryOf({ name: "strata", interpreter: "/usr/bin/env node", module: "./chunks/strata.js" });
const [first = "", ...rest] = text.split("\n").slice(1).join("\n").split("\nimport(");
const version = (node: string): { written: string; exitCode: number | undefined } => {
  const seen: { written: string; exitCode: number | undefined } = { written: "", exitCode: undefined };
  const process = {
    versions: { node },
    version: `v${node}`,
    stderr: { write: (line: string) => (seen.written += line) },
    exit: (code: number) => (seen.exitCode = code),
  };
  runInContext(first, createContext({ process, parseInt }));
  return seen;
};

describe("the entry of a program", () => {
  it.each(["8.17.0", "18.20.4", "20.20.2", "22.21.0", "23.11.1"])(
    "says in one line that Node %s is too old",
    (node) => {
      expect(version(node)).toEqual({
        written: `strata needs Node.js 24 or newer, and this is v${node}: install it, or put it first on the PATH\n`,
        exitCode: 1,
      });
    },
  );

  it.each(["24.0.0", "24.21.0", "25.1.0", "100.0.0"])("lets Node %s pass", (node) => {
    expect(version(node)).toEqual({ written: "", exitCode: undefined });
  });

  it("checks in words that every Node knows, before anything else", async () => {
    const lower = async (target: string): Promise<string> => (await transform(first, { target })).code;
    expect(await lower("es5")).toBe(await lower("esnext"));
    expect(rest).toEqual(['"./chunks/strata.js");\n']);
    expect(text).toMatch(/^#!\/usr\/bin\/env node\nif \(parseInt\(process\.versions\.node, 10\) < 24\)/);
    expect(text).not.toMatch(/^import |\n *import [^(]|=>|`/m);
  });

  it("asks for what package.json asks for", () => {
    const { engines } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
      engines: { node: string };
    };
    expect(engines.node).toBe(`>=${leastNode}`);
  });
});
