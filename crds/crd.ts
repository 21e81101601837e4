import { GROUP, KIND, PLURAL, SINGULAR, VERSION } from "../api/v1beta1/constants.ts";
import { specSchema } from "../api/v1beta1/spec.ts";
import { statusSchema } from "../api/v1beta1/status.ts";
import { structuralSchema, type StructuralSchema } from "./structural.ts";

export const crdPath = `${GROUP}_${PLURAL}.yaml`;

const readyCondition = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;

/** A row fits into 120 characters: the texts are `status.summary`, and what is long comes with `-o wide`. */
const printerColumns = [
  { name: "Ready", type: "string", jsonPath: readyCondition("status") },
  { name: "Status", type: "string", jsonPath: ".status.summary.state", description: "The state in few words." },
  {
    name: "Revision",
    type: "string",
    jsonPath: ".status.summary.revision",
    description: "The tag and the digest of the artifact that is served.",
  },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
  { name: "URL", type: "string", jsonPath: ".spec.url", priority: 1 },
  { name: "Operation", type: "string", jsonPath: ".status.selected.operation", priority: 1 },
  { name: "Selected", type: "string", jsonPath: ".status.summary.selected", priority: 1 },
];

/** `openAPIV3Schema` of the kind; apiVersion, kind and metadata belong to the API server. */
export function resourceSchema(): StructuralSchema {
  return {
    type: "object",
    description: "ArtifactRepository reads an OCI artifact, takes layers from it and publishes them as one artifact.",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "Version of the schema of this object." },
      kind: { type: "string", description: "Kind of this object." },
      metadata: { type: "object" },
      spec: structuralSchema(specSchema),
      status: { ...structuralSchema(statusSchema), default: { observedGeneration: -1 } },
    },
  };
}

/** The CustomResourceDefinition, as plain data. */
export function customResourceDefinition() {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    // A Kustomization with postBuild must leave the descriptions and patterns as they are.
    metadata: {
      name: `${PLURAL}.${GROUP}`,
      annotations: { "kustomize.toolkit.fluxcd.io/substitute": "disabled" },
    },
    spec: {
      group: GROUP,
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: SINGULAR,
        shortNames: ["ar"],
        categories: ["all", "strata"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          additionalPrinterColumns: printerColumns,
          subresources: { status: {} },
          schema: { openAPIV3Schema: resourceSchema() },
        },
      ],
    },
  };
}
