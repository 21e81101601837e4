import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { CRD_FILE, customResourceDefinition } from "./crd.ts";

/** The text of the CRD file. */
export function crdYaml(): string {
  const header = "# Generated from api/v1beta1 by `npm run generate`; edit the schema there.\n";
  return header + stringify(customResourceDefinition(), { lineWidth: 100, aliasDuplicateObjects: false });
}

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, CRD_FILE), crdYaml());
}
