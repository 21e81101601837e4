import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { differences, type Difference } from "../src/cli/migrate/differences.ts";
import { migrateDocuments } from "../src/cli/migrate/documents.ts";
import { parse } from "yaml";

const page = readFileSync(join(import.meta.dirname, "migration.md"), "utf8");

it("has the rows that the parity run allows, as they are there, and no other", () => {
  const rows: readonly Difference[] = differences;
  const expected = rows.map(
    ({ id, what, flux, strata, why, write = "" }) => `| \`${id}\` | ${[what, flux, strata, why, write].join(" | ")} |`,
  );
  expect(page.split("\n").filter((line) => line.startsWith("| `"))).toEqual(expected);
});

it("shows what migrate makes of its example", () => {
  const [before, after] = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text!);
  const { yaml, objects } = migrateDocuments(before!);
  expect(parse(yaml)).toEqual(parse(after!));
  for (const note of objects.flatMap(({ notes }) => notes)) expect(page).toContain(note);
});
