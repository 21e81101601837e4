import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { failurePolicies } from "../src/controller/policy.ts";

const page = readFileSync(join(import.meta.dirname, "troubleshooting.md"), "utf8");
const rows = [...page.matchAll(/^\| `(\w+)` \| `(\w+)`, `(\w+)` \| (\w+) \| (.+?) \| (.+?) \|$/gm)];

it("has one row for every code, in the order of the table, with its condition, reason and what follows", () => {
  const expected = Object.entries(failurePolicies).map(([code, { condition, reason, next }]) => [
    code,
    condition,
    reason,
    next,
  ]);
  expect(rows.map(([, ...cells]) => cells.slice(0, 4))).toEqual(expected);
});

it("says for each what it means and what to do, in sentences", () => {
  for (const [, code, , , , meaning = "", advice = ""] of rows) {
    expect(meaning, code).toMatch(/^[A-Z`].{15,}\.$/);
    expect(advice, code).toMatch(/^[A-Z`].{15,}\.$/);
  }
});

it("its links lead somewhere", () => {
  const headings = [...page.matchAll(/^## (.*)$/gm)].map(([, title = ""]) => title.toLowerCase().replaceAll(" ", "-"));
  for (const [, anchor = ""] of page.matchAll(/\]\(#([^)]+)\)/g)) expect(headings).toContain(anchor);
});
