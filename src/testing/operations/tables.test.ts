import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { controllerFlags } from "../../controller-flags.ts";
import { flagsTable, metricsTable, withGenerated } from "./tables.ts";

const page = readFileSync(new URL("../../../docs/operations.md", import.meta.url), "utf8");

it("docs/operations.md has every flag and every metric as they are", async () => {
  expect(page).toContain(flagsTable());
  expect(page).toContain(await metricsTable());
  for (const name of Object.keys(controllerFlags)) expect(page).toContain(`\`--${name}\``);
  expect(await metricsTable()).toContain("| `workqueue_depth` | gauge | `name` `controller` |");
});

it("replaces what is between the marks and nothing else, as often as it is run", () => {
  const before = "a\n<!-- x: begin. Written by `npm run generate`. -->\nold\n<!-- x: end -->\nb\n";
  const after = withGenerated(before, "x", "new");
  expect(after).toBe("a\n<!-- x: begin. Written by `npm run generate`. -->\n\nnew\n\n<!-- x: end -->\nb\n");
  expect(withGenerated(after, "x", "new")).toBe(after);
});

it("refuses a page that has no place for it", () => {
  expect(() => withGenerated("a", "x", "new")).toThrow("The page has no place for x");
});
