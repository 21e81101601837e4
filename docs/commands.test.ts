import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Command } from "../src/cli/command.ts";
import { diff } from "../src/cli/diff/diff.ts";
import { list } from "../src/cli/list/list.ts";
import { verify } from "../src/cli/verify/verify.ts";
import { runStrata } from "../src/testing/command-io.ts";
import { pageExamples } from "../src/testing/page-examples.ts";
import { startRegistry, type TestRegistry } from "../src/testing/registry/registry.ts";

interface Page {
  readonly page: string;
  readonly command: Command;
  /** Of the examples; two tags that differ are 1, as for `diff`. */
  readonly code: number;
  readonly examples: number;
  readonly exitCodes: number;
}

const pages: readonly Page[] = [
  { page: "diff.md", command: diff, code: 1, examples: 1, exitCodes: 3 },
  { page: "list.md", command: list, code: 0, examples: 2, exitCodes: 3 },
  { page: "verify.md", command: verify, code: 0, examples: 2, exitCodes: 5 },
];
const key = join(import.meta.dirname, "../src/testing/fixtures/cosign.pub");

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterAll(async () => await registry.close());

const here = (word: string): string => word.replace("registry.example", registry.host).replace("cosign.pub", key);
const shown = (text: string): string =>
  text.replaceAll(registry.host, "registry.example").replaceAll(key, "cosign.pub");

describe.each(pages)("the page $page", ({ page, command, code, examples: least, exitCodes: codes }) => {
  const { examples, exitCodes } = pageExamples(page);

  it.each(examples)("shows what is printed: %s", async (line, output) => {
    const result = await runStrata([...line.split(" ").slice(1).map(here), "--insecure"]);
    expect(result).toMatchObject({ code, stderr: "" });
    // The page leaves out JSON that is long.
    if (output === "") expect(JSON.parse(result.stdout)).toMatchObject({ verified: true });
    else expect(shown(result.stdout)).toBe(output);
  });

  it("has examples", () => {
    expect(examples.length).toBeGreaterThanOrEqual(least);
  });

  it("has the exit codes of the help", () => {
    expect(exitCodes).toHaveLength(codes);
    // The page may say more, after a comma or the like.
    for (const exitCode of exitCodes) expect(command.help).toContain(/^[^,;:]*/.exec(exitCode)![0]);
  });
});
