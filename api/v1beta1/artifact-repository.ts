import * as z from "zod";
import { API_VERSION, KIND } from "./constants.ts";
import { specSchema } from "./spec.ts";
import { statusSchema } from "./status.ts";

/** The parts of Kubernetes' ObjectMeta that are read; the rest passes through. */
const metadataSchema = z.looseObject({
  name: z.string().min(1).max(253),
  namespace: z.string().optional(),
  uid: z.string().optional(),
  generation: z.int().optional(),
  resourceVersion: z.string().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
});

/** An ArtifactRepository as it is written in a manifest (`z.input`) and as the program sees it (`z.output`). */
export const artifactRepositorySchema = z.strictObject({
  apiVersion: z.literal(API_VERSION),
  kind: z.literal(KIND),
  metadata: metadataSchema,
  spec: specSchema,
  // Only the controller writes it; one that it cannot read is made anew rather than refused.
  status: statusSchema.optional().catch(undefined),
});
export type ArtifactRepository = z.output<typeof artifactRepositorySchema>;
