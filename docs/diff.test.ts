import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { diff } from "../src/cli/diff/diff.ts";
import { runStrata } from "../src/testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";

const page = readFileSync(join(import.meta.dirname, "diff.md"), "utf8");
const examples = [...page.matchAll(/```console\n\$ (.*)\n([^]*?)```/g)].map(([, command = "", output = ""]) => [command, output] as const);

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterAll(async () => await registry.close());

describe("the examples of the page", () => {
  it.each(examples)("print what is shown: %s", async (command, output) => {
    const args = command.split(" ").slice(1).map((word) => word.replace("registry.example", registry.host));
    const { code, stdout, stderr } = await runStrata([...args, "--insecure"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toBe(output);
  });

  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(1);
  });
});

it("its exit codes are those of the help", () => {
  const codes = [...page.matchAll(/^\| (\d) \| ([^|]*)/gm)].map(([, code = "", meaning = ""]) => `${code}  ${meaning.trim()}`);
  expect(codes).toHaveLength(3);
  for (const line of codes) expect(diff.help).toContain(line);
});
