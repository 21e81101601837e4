/** `npm run generate` brings what the Helm chart shares with `config` and `crds` into charts/strata, and lists its values. */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const root = join(import.meta.dirname, "..");
export const chart = join(root, "charts/strata");

/** A part of values.schema.json. */
interface Schema {
  readonly type: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
}

interface Row {
  readonly path: string;
  readonly schema: Schema;
  readonly value: unknown;
}

/** One row for each value that a person can set. */
export function valueRows(schema: Schema, values: unknown, path = ""): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, part]) => {
    const value = (values as Record<string, unknown> | undefined)?.[name];
    const at = path === "" ? name : `${path}.${name}`;
    return part.properties === undefined ? [{ path: at, schema: part, value }] : valueRows(part, value, at);
  });
}

export function readChart(): { readonly schema: Schema; readonly values: unknown } {
  return {
    schema: JSON.parse(readFileSync(join(chart, "values.schema.json"), "utf8")) as Schema,
    values: parse(readFileSync(join(chart, "values.yaml"), "utf8")) as unknown,
  };
}

export function valuesTable(): string {
  const { schema, values } = readChart();
  const rows = valueRows(schema, values)
    .filter(({ path }) => path !== "global")
    .map(({ path, schema: { type, enum: one, description = "" }, value }) => {
      const kind = one === undefined ? type : one.map((each) => `\`${each}\``).join(" ");
      return `| \`${path}\` | ${kind} | \`${JSON.stringify(value)}\` | ${description} |`;
    });
  return ["| value | type | default | meaning |", "|---|---|---|---|", ...rows].join("\n");
}

/** The files of the chart that are copies, by their path in it. */
export function copiedFiles(): Record<string, string> {
  const read = (path: string): string => readFileSync(join(root, path), "utf8");
  const listed = (directory: string): readonly string[] =>
    (parse(read(`${directory}/kustomization.yaml`)) as { readonly resources: readonly string[] }).resources;
  const roles = listed("config/rbac").filter((name) => name !== "service_account.yaml");
  return {
    "rbac.yaml": roles.map((name) => `---\n${read(`config/rbac/${name}`).trim()}\n`).join(""),
    "rules.yaml": read("config/components/monitoring/rules.yaml"),
    "dashboard.json": read("config/components/monitoring/dashboard.json"),
    ...Object.fromEntries(listed("crds").map((name) => [`crds/${name}`, read(`crds/${name}`)])),
  };
}

if (import.meta.main) {
  rmSync(join(chart, "files"), { recursive: true, force: true });
  mkdirSync(join(chart, "files/crds"), { recursive: true });
  for (const [path, text] of Object.entries(copiedFiles())) writeFileSync(join(chart, "files", path), text);
  cpSync(join(root, "LICENSE"), join(chart, "LICENSE"));
  const readme = join(chart, "README.md");
  const [before = "", , after = ""] = readFileSync(readme, "utf8").split(
    /(<!-- values: begin[^]*<!-- values: end -->)/,
  );
  const begin = "<!-- values: begin. Written by `npm run generate`. -->";
  writeFileSync(readme, `${before}${begin}\n\n${valuesTable()}\n\n<!-- values: end -->${after}`);
}
