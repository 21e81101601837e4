import { GROUP, KIND, PLURAL, SINGULAR, VERSION } from "../api/v1beta1/constants.ts";
import { specSchema } from "../api/v1beta1/spec.ts";
import { statusSchema } from "../api/v1beta1/status.ts";
import { structuralSchema, type StructuralSchema } from "./structural.ts";

export const CRD_FILE = `${GROUP}_${PLURAL}.yaml`;

const readyCondition = (field: string) => `.status.conditions[?(@.type=="Ready")].${field}`;

/** As Flux's, so that `kubectl get` shows both kinds of repository alike; Operation only with `-o wide`. */
const printerColumns = [
  { name: "URL", type: "string", jsonPath: ".spec.url" },
  { name: "Ready", type: "string", jsonPath: readyCondition("status") },
  { name: "Status", type: "string", jsonPath: readyCondition("message") },
  { name: "Operation", type: "string", jsonPath: ".status.selected.operation", priority: 1 },
  { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
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
