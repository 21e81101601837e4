import type { StructuralSchema } from "./structural.ts";

export interface Field {
  /** `.spec.verify.matchOIDCIdentity[].issuer` */
  readonly path: string;
  readonly schema: StructuralSchema;
  readonly required: boolean;
}

/** Every field below `schema`, depth first in the order of the schema. */
export function fieldsOf(schema: StructuralSchema, path: string): Field[] {
  const fields: Field[] = [];
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    const childPath = `${path}.${name}`;
    fields.push({ path: childPath, schema: child, required: schema.required?.includes(name) ?? false });
    fields.push(...(child.items === undefined ? fieldsOf(child, childPath) : fieldsOf(child.items, `${childPath}[]`)));
  }
  return fields;
}

/** A Markdown table of `fields`: path, type, default and description. */
export function fieldTable(fields: readonly Field[]): string {
  const rows = fields.map(({ path, schema, required }) => {
    const name = required ? `\`${path}\` **required**` : `\`${path}\``;
    return `| ${[name, typeOf(schema), defaultOf(schema), schema.description ?? ""].map(cell).join(" | ")} |`;
  });
  return ["| Field | Type | Default | Meaning |", "|---|---|---|---|", ...rows].join("\n");
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

function typeOf(schema: StructuralSchema): string {
  const choices = schema["enum"] as string[] | undefined;
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(" ");
  if (schema.items !== undefined) return `list of ${schema.items.type}`;
  if (schema.additionalProperties !== undefined) return "map of string";
  return schema["format"] === "date-time" ? "time" : (schema.type ?? "");
}

function defaultOf(schema: StructuralSchema): string {
  return schema.default === undefined ? "" : `\`${JSON.stringify(schema.default).replaceAll('"', "")}\``;
}
