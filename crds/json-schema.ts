import { API_VERSION, KIND, VERSION } from "../api/v1beta1/constants.ts";
import { resourceSchema } from "./crd.ts";
import type { StructuralSchema } from "./structural.ts";

/** As kubeconform's `{{.ResourceKind}}_{{.ResourceAPIVersion}}.json` asks for. */
export const jsonSchemaPath = `${KIND.toLowerCase()}_${VERSION}.json`;

/**
 * The JSON Schema of a manifest, for editors and linters: what the CRD says, and that a field which it does not have is a mistake.
 * Rules across fields are not in it; the API server and `strata build -f` know them.
 */
export function manifestSchema(): StructuralSchema {
  const { properties = {}, description = "" } = resourceSchema();
  const { spec = {}, status = {} } = properties;
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: KIND,
    description,
    type: "object",
    required: ["apiVersion", "kind", "metadata", "spec"],
    additionalProperties: false,
    properties: {
      apiVersion: { description: "Version of the schema of this object.", const: API_VERSION },
      kind: { description: "Kind of this object.", const: KIND },
      metadata: metadataSchema,
      spec: closed(spec),
      status: withoutExtensions(status),
    },
  };
}

const metadataSchema: StructuralSchema = {
  type: "object",
  description: "Name, namespace, labels and annotations, as every object has them.",
  required: ["name"],
  properties: { name: { type: "string", minLength: 1, maxLength: 253 }, namespace: { type: "string", maxLength: 63 } },
};

/** `schema` where no field may stand that it does not have. */
function closed(schema: StructuralSchema): StructuralSchema {
  const open = schema.type === "object" && schema.additionalProperties === undefined;
  const plain = mapChildren(withoutOwnExtensions(schema), closed);
  return open ? { ...plain, additionalProperties: false } : plain;
}

function withoutExtensions(schema: StructuralSchema): StructuralSchema {
  return mapChildren(withoutOwnExtensions(schema), withoutExtensions);
}

/** Without what only the API server reads. */
function withoutOwnExtensions(schema: StructuralSchema): StructuralSchema {
  const kept = Object.entries(schema).filter(([key, value]) => !key.startsWith("x-kubernetes-") && value !== "int64");
  return Object.fromEntries(kept);
}

function mapChildren(
  { properties, items, additionalProperties, ...own }: StructuralSchema,
  change: (schema: StructuralSchema) => StructuralSchema,
): StructuralSchema {
  const fields = Object.entries(properties ?? {}).map(([name, child]) => [name, change(child)] as const);
  return {
    ...own,
    ...(properties && { properties: Object.fromEntries(fields) }),
    ...(items && { items: change(items) }),
    ...(additionalProperties && { additionalProperties: change(additionalProperties) }),
  };
}
