import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { verify } from "../src/cli/verify/verify.ts";
import { runStrata } from "../src/testing/command-io.ts";
import { pageExamples } from "../src/testing/page-examples.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";

const key = join(import.meta.dirname, "../src/testing/fixtures/cosign.pub");
const { examples, exitCodes } = pageExamples("verify.md");

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
      .map((word) => word.replace("registry.example", registry.host).replace("cosign.pub", key));
    const { code, stdout, stderr } = await runStrata([...args, "--insecure"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    if (output === "") expect(JSON.parse(stdout)).toMatchObject({ verified: true });
    else expect(stdout.replaceAll(registry.host, "registry.example").replaceAll(key, "cosign.pub")).toBe(output);
  });

  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(2);
  });
});

it("its exit codes are those of the help", () => {
  expect(exitCodes).toHaveLength(5);
  // The page says more than the help, after a comma or the like.
  for (const line of exitCodes) expect(verify.help).toContain(/^[^,;:]*/.exec(line)![0]);
});
