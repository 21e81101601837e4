import * as z from "zod";
import { componentSchema } from "./component.ts";
import { GROUP } from "./constants.ts";
import { indexSelectorSchema, layerSelectorSchema } from "./selectors.ts";
import { componentStatusSchema, selectedLayerSchema } from "./status.ts";

/** The type of the predicate that says how a pushed artifact was made; see docs/derivation.md. */
export const DERIVATION_TYPE = `https://${GROUP}/derivation/v1`;

const digest = z.string().regex(/^[a-z0-9]+:[0-9a-f]{32,128}$/);

/** Fields of a newer version are passed over: predicate types promise to keep the meaning of those that are there. */
export const derivationSchema = z.object({
  builder: z.object({ name: z.string(), version: z.string() }),
  upstream: z.object({
    url: z.string().max(2048),
    tag: z.string().max(128).optional(),
    digest,
    mediaType: z.string().max(255),
  }),
  verification: z.object({ provider: z.string(), identity: z.string(), key: digest.optional() }).optional(),
  component: componentStatusSchema.optional(),
  selection: z.object({
    spec: z.object({
      component: componentSchema.optional(),
      indexSelector: indexSelectorSchema.optional(),
      layerSelector: layerSelectorSchema.optional(),
      ignore: z.string().max(65_536).optional(),
    }),
    operation: z.enum(["Extract", "Copy", "ExtractAll"]),
    layout: z.string().optional(),
    profile: z.string().optional(),
    layerCount: z.int().min(0),
    layers: z.array(selectedLayerSchema).max(1000),
  }),
  contentDigest: digest,
});

/** How an artifact was made of upstream's. */
export type Derivation = z.output<typeof derivationSchema>;
