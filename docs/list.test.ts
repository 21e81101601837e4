import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { list } from "../src/cli/list/list.ts";
import { runStrata } from "../src/testing/command-io.ts";
import { pageExamples } from "../src/testing/page-examples.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";

const { examples, exitCodes } = pageExamples("list.md");

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterAll(async () => await registry.close());

describe("the examples of the page", () => {
  it.each(examples)("print what is shown: %s", async (command, output) => {
    const args = command
      .split(" ")
      .slice(1)
      .map((word) => word.replace("registry.example", registry.host));
    const { code, stdout, stderr } = await runStrata([...args, "--insecure"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toBe(output);
  });

  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(2);
  });
});

it("its exit codes are those of the help", () => {
  expect(exitCodes).toHaveLength(3);
  for (const line of exitCodes) expect(list.help).toContain(line);
});
