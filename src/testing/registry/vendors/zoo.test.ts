import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { capabilityTable, quirkTable, vendors } from "./zoo.ts";

/** Cells of the tables in a page, whatever their widths. */
const cells = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) =>
      line
        .split("|")
        .map((cell) => cell.trim().replace(/^-+$/, "---"))
        .join("|"),
    );

test("docs/registries.md says what the profiles say", () => {
  const page = readFileSync(new URL("../../../../docs/registries.md", import.meta.url), "utf8");
  const modelled = page.slice(page.indexOf("## What each can do"));
  expect(cells(modelled)).toEqual([...cells(capabilityTable()), ...cells(quirkTable())]);
});

test("every quirk has a public report", () => {
  for (const { report } of vendors.flatMap(({ quirks }) => quirks))
    for (const one of report.split(", ")) expect(one).toMatch(/^(https:\/\/\S+|[\w.-]+\/[\w.-]+#\d+)$/);
});
