import * as z from "zod";
import { componentSchema, signedComponent } from "./component.ts";
import { DURATION_PATTERN, TIMEOUT_PATTERN } from "./duration.ts";
import { certificatesOfTls, registryAccess } from "./fields.ts";
import { aliasesElsewhere, publishSchema } from "./publish.ts";
import { refSchema } from "./reference.ts";
import { withRules } from "./rules.ts";
import { indexSelectorSchema, layerSelectorSchema } from "./selectors.ts";
import { repositoryUrl } from "./syntax.ts";
import { verifySchema } from "./verify.ts";

const fields = z
  .strictObject({
    url: z
      .string("write oci://registry/repository")
      .max(2048)
      .regex(/^oci:\/\/.*$/, "write oci://registry/repository")
      .describe(
        "The repository to read, such as `oci://ghcr.io/stefanprodan/manifests/podinfo`. Tag and digest belong in `ref`.",
      ),
    ref: refSchema.optional(),
    interval: z
      .string("write a duration such as 10m or 1h30m")
      .max(64)
      .regex(DURATION_PATTERN, "write a duration such as 10m or 1h30m")
      .describe(
        "How often upstream is asked for something new, such as `10m` or `1h30m`, give or take the controller's jitter; at most once a second. `0s`: only after a change, or on request.",
      ),
    timeout: z
      .string()
      .max(64)
      .regex(TIMEOUT_PATTERN, "write a duration in minutes, seconds or milliseconds, such as 60s")
      .default("60s")
      .describe(
        "How long the registry may take to answer, such as `60s`, for each phase with all its retries: resolving, signatures, manifests. Content may take as long as its size asks for. `0s`: 10m, which is also the longest.",
      ),
    ...registryAccess,
    ignore: z
      .string()
      .max(65_536)
      .describe(
        "Paths to leave out of Extract and ExtractAll, in .gitignore syntax, such as `*.md`, one pattern a line. Replaces the default exclusions of Extract.",
      )
      .optional(),
    verify: verifySchema.optional(),
    suspend: z.boolean().describe("Stop reconciling; what was published stays.").optional(),
    component: componentSchema.optional(),
    indexSelector: indexSelectorSchema.optional(),
    layerSelector: layerSelectorSchema.optional(),
    publish: publishSchema.optional(),
  })
  .describe("What to read, what to take from it and where to put the result.");

/** `spec`: a superset of Flux's OCIRepository v1. */
export const specSchema = withRules(fields, [aliasesElsewhere, signedComponent, certificatesOfTls], repositoryUrl);
export type ArtifactRepositorySpec = z.output<typeof specSchema>;
