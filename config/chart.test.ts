import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { chart, copiedFiles, readChart, valueRows, valuesTable } from "./build-chart.ts";

const read = (path: string): string => readFileSync(join(chart, path), "utf8");

/** The paths of everything in `values` that is not a group of the schema. */
function paths(values: unknown, groups: ReadonlySet<string>, path = ""): string[] {
  return Object.entries(values as Record<string, unknown>).flatMap(([name, value]) => {
    const at = path === "" ? name : `${path}.${name}`;
    return groups.has(at) ? paths(value, groups, at) : [at];
  });
}

it("copies what it shares with the manifests of kustomize", () => {
  for (const [path, text] of Object.entries(copiedFiles())) expect(read(`files/${path}`)).toBe(text);
});

it("states and explains every value, with the type that its default has", () => {
  const { schema, values } = readChart();
  const rows = valueRows(schema, values).filter(({ path }) => path !== "global");
  const groups = new Set(rows.flatMap(({ path }) => path.split(".").map((_, at, all) => all.slice(0, at).join("."))));
  expect(rows.map(({ path }) => path).sort()).toEqual(paths(values, groups).sort());
  for (const { path, schema: part, value } of rows) {
    expect(part.description, path).toMatch(/^[A-Z`].*\.$/);
    const type = Array.isArray(value) ? "array" : typeof value === "number" ? "integer" : typeof value;
    expect(type, path).toBe(part.type);
    if (part.enum !== undefined) expect(part.enum).toContain(value);
  }
  expect(read("README.md")).toContain(valuesTable());
});

it("has the version of the project", () => {
  const { version } = JSON.parse(readFileSync(join(chart, "../../package.json"), "utf8")) as { version: string };
  expect(parse(read("Chart.yaml"))).toMatchObject({ version, appVersion: `v${version}` });
});
