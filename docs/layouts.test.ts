import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { profiles } from "../src/select/profiles.ts";

const page = readFileSync(join(import.meta.dirname, "layouts.md"), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| `"));

it("has a row for every profile, and none for any other", () => {
  const named = new Set(rows.map((row) => /^\| `([^`]+)`/.exec(row)?.[1]));
  named.delete("imgpkg");
  expect(named).toEqual(new Set(profiles.map(({ name }) => name)));
});

it("says what each profile does", () => {
  for (const { name, operation } of profiles) {
    const told = rows.filter((row) => row.startsWith(`| \`${name}\``)).join("\n");
    expect(told, name).toContain(operation);
  }
});
