import * as z from "zod";
import { GROUP, RECONCILE_REQUEST_ANNOTATION } from "./constants.ts";

/** What tells whose the objects are; Strata sets it itself. */
export const MANAGED_BY_LABEL = "app.kubernetes.io/managed-by";

const maxEntries = 64;
/** A name of up to 63 characters, after a DNS subdomain where there is a prefix. */
const qualifiedName =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const maxPrefixLength = 253;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

function metadataMap(
  value: z.ZodString,
  { description, isReserved }: { readonly description: string; readonly isReserved: (key: string) => boolean },
) {
  return z
    .record(z.string(), value)
    .superRefine((map, context) => {
      const keys = Object.keys(map);
      const wrong = keys.find((key) => !qualifiedName.test(key) || key.indexOf("/") > maxPrefixLength);
      const reserved = keys.find(isReserved);
      const message =
        keys.length > maxEntries
          ? `write at most ${maxEntries} entries`
          : wrong !== undefined
            ? `${JSON.stringify(wrong)} is not a key of Kubernetes; write name or example.com/name, of letters, digits, "-", "_" and "."`
            : reserved !== undefined
              ? `${reserved} is set by Strata or Flux themselves; remove it`
              : undefined;
      if (message !== undefined) context.addIssue({ code: "custom", message });
    })
    .meta({ description, maxProperties: maxEntries });
}

/** `spec.publish.commonMetadata`, as `spec.commonMetadata` of a Kustomization has it. */
export const commonMetadataSchema = z
  .strictObject({
    labels: metadataMap(
      z.string().max(63).regex(labelValue, 'write a label value: letters, digits, "-", "_" and ".", or nothing'),
      {
        description:
          "Labels to set, such as `team: platform`. They win over the labels of the ArtifactRepository, which are carried over, too.",
        isReserved: (key) => key === MANAGED_BY_LABEL,
      },
    ).optional(),
    annotations: metadataMap(z.string().max(4096), {
      description: "Annotations to set, such as `example.com/owner: platform`.",
      isReserved: (key) => key === RECONCILE_REQUEST_ANNOTATION || key.startsWith(`${GROUP}/`),
    }).optional(),
  })
  .describe("What the ExternalArtifact and the OCIRepository carry besides; it goes again when it is removed here.");
export type CommonMetadata = z.output<typeof commonMetadataSchema>;
