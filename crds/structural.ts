import { z } from "zod";

/** The subset of OpenAPI v3 that a CustomResourceDefinition may hold ("structural schema"). */
export interface StructuralSchema {
  type?: string;
  description?: string;
  properties?: Record<string, StructuralSchema>;
  required?: string[];
  items?: StructuralSchema;
  additionalProperties?: StructuralSchema | false;
  pattern?: string;
  default?: unknown;
  [keyword: string]: unknown;
}

/** Keywords that zod may emit and a structural schema must not hold. */
const forbidden = ["$ref", "oneOf", "anyOf", "allOf", "not", "const", "propertyNames", "patternProperties"] as const;

/**
 * `schema` as the API server wants it. Unknown fields are pruned there, so `additionalProperties: false` goes; the
 * bounds that only say "a safe integer" go too.
 * @throws Error for a schema that cannot be said structurally, at the time the CRD is generated
 */
export function structuralSchema(schema: z.ZodType): StructuralSchema {
  const document = z.toJSONSchema(schema, {
    target: "openapi-3.0",
    io: "input",
    override: ({ jsonSchema }) => clean(jsonSchema as Record<string, unknown>),
  }) as StructuralSchema;
  delete document["$schema"];
  assertStructural(document, "");
  return document;
}

function clean(node: Record<string, unknown>): void {
  if (node["additionalProperties"] === false) delete node["additionalProperties"];
  // The API server stores none, and `kubectl diff` would show them for ever.
  if (isEmptyObject(node["properties"])) delete node["properties"];
  if (node["maximum"] === Number.MAX_SAFE_INTEGER) delete node["maximum"];
  if (node["minimum"] === Number.MIN_SAFE_INTEGER) delete node["minimum"];
  if (typeof node["pattern"] === "string") node["pattern"] = node["pattern"].replaceAll("\\/", "/");
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function assertStructural(node: StructuralSchema, path: string): void {
  const found = forbidden.filter((keyword) => keyword in node);
  if (found.length > 0) throw new Error(`${path}: ${found.join(", ")} is not structural`);
  if (typeof node.type !== "string") throw new Error(`${path}: no type`);
  for (const [name, child] of Object.entries(node.properties ?? {})) assertStructural(child, `${path}.${name}`);
  if (node.items !== undefined) assertStructural(node.items, `${path}[]`);
  if (typeof node.additionalProperties === "object") assertStructural(node.additionalProperties, `${path}{}`);
}
