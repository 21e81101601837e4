import { expect, it } from "vitest";
import type { ZodType } from "zod";
import { artifactRepositorySchema } from "../../../api/v1beta1/artifact-repository.ts";
import { flagOf, selectionHelp, selectionTable } from "./selection-flags.ts";

/** The names of an object's fields, through optional, default and other wrappers. */
function fieldsOf(schema: ZodType | undefined): Record<string, ZodType> {
  const { shape, innerType, in: input } = (schema as { def?: Record<string, unknown> } | undefined)?.def ?? {};
  if (shape !== undefined) return shape as Record<string, ZodType>;
  const inner = (innerType ?? input) as ZodType | undefined;
  return inner === undefined ? {} : fieldsOf(inner);
}

it("every field of a selector has a flag, and every flag a field", () => {
  const spec = fieldsOf(fieldsOf(artifactRepositorySchema)["spec"]);
  const fields = ["component", "indexSelector", "layerSelector"].flatMap((selector) =>
    Object.keys(fieldsOf(spec[selector])).map((field) => `${selector}.${field}`),
  );
  expect(fields.length).toBeGreaterThan(8);
  expect(fields.filter((field) => flagOf(field) === undefined)).toEqual([]);
  const known = new Set([...fields, ...Object.keys(spec)]);
  expect(Object.values(selectionTable).filter(({ field }) => !known.has(field))).toEqual([]);
});

it("every flag stands in the help", () => {
  const help = selectionHelp;
  for (const name of Object.keys(selectionTable)) expect(help).toContain(`  --${name} `);
});
