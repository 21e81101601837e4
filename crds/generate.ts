import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { crdPath, customResourceDefinition, resourceSchema } from "./crd.ts";
import { fieldsOf, fieldTable } from "./field-table.ts";
import { jsonSchemaPath, manifestSchema } from "./json-schema.ts";

const crdFile = join(import.meta.dirname, crdPath);
const docFile = join(import.meta.dirname, "../docs/spec/v1beta1/artifactrepositories.md");

const schemaFile = join(import.meta.dirname, "../docs/schema", jsonSchemaPath);

/** The text of the JSON Schema. */
export function jsonSchema(): string {
  return `${JSON.stringify(manifestSchema(), undefined, 2)}\n`;
}

/** The text of the CRD file. */
export function crdYaml(): string {
  const header = "# Generated from api/v1beta1 by `npm run generate`; edit the schema there.\n";
  return header + stringify(customResourceDefinition(), { lineWidth: 100, aliasDuplicateObjects: false });
}

/** `document` with the tables of fields between its markers made anew. */
export function withFieldTables(document: string): string {
  const { properties = {} } = resourceSchema();
  return ["spec", "status"].reduce((text, part) => {
    const table = fieldTable(fieldsOf(properties[part] ?? {}, `.${part}`));
    const block = new RegExp(`(<!-- generated: ${part} -->\n)[^]*?(<!-- end of generated: ${part} -->)`);
    if (!block.test(text)) throw new Error(`${docFile}: no place for the fields of ${part}`);
    return text.replace(block, (_, begin: string, end: string) => `${begin}\n${table}\n\n${end}`);
  }, document);
}

if (import.meta.main) {
  writeFileSync(crdFile, crdYaml());
  writeFileSync(schemaFile, jsonSchema());
  writeFileSync(docFile, withFieldTables(readFileSync(docFile, "utf8")));
}
