import * as z from "zod";
import { MAX_SELECTED_ROWS } from "./constants.ts";
import { int64 } from "./fields.ts";

const timestamp = (description: string) => z.string().meta({ description, format: "date-time" });
const line = (description: string) => z.string().describe(description);
const digest = (description: string) => z.string().describe(description);

/** Kubernetes' metav1.Condition. */
export const conditionSchema = z
  .object({
    type: z
      .string()
      .max(316)
      .regex(
        /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$/,
      )
      .describe("Type of the condition, such as Ready or FetchFailed."),
    status: z.enum(["True", "False", "Unknown"]).describe("Whether the condition holds."),
    observedGeneration: z
      .int()
      .min(0)
      .meta({ description: "The metadata.generation that the condition was set for.", format: "int64" })
      .optional(),
    lastTransitionTime: timestamp("When `status` last changed."),
    reason: z
      .string()
      .min(1)
      .max(1024)
      .regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)
      .describe("Why, as one word for programs."),
    message: z.string().max(32_768).describe("Why, in a sentence for people."),
  })
  .describe("One aspect of the object's state.");
export type Condition = z.output<typeof conditionSchema>;

/** Flux's meta.Artifact. */
export const artifactSchema = z
  .object({
    path: line("Path of the file below the root of the storage."),
    url: line("Where consumers download the file."),
    revision: line(
      "`<tag>@sha256:<content digest>`, or `sha256:<content digest>` alone where `ref.digest` was given. Consumers act when it changes.",
    ),
    digest: z
      .string()
      .regex(/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/)
      .describe("Digest of the file."),
    size: int64("Bytes of the file.").optional(),
    lastUpdateTime: timestamp("When this file was first published."),
    metadata: z
      .record(z.string(), z.string())
      .describe("Annotations of the upstream manifest, and where it came from.")
      .optional(),
  })
  .describe("The artifact last published, as Flux describes one.");

const upstreamSchema = z
  .object({
    url: line("The repository that was read."),
    tag: line("The tag that was chosen; absent where the reference is a digest.").optional(),
    digest: digest("Digest of the root manifest or index."),
    mediaType: line("Media type of the root.").optional(),
  })
  .describe("What the reference resolved to.");

const elementSchema = {
  name: line("Its name."),
  version: line("Its version.").optional(),
  extraIdentity: z.record(z.string(), z.string()).describe("Further attributes of its identity.").optional(),
};

export const componentStatusSchema = z
  .object({
    name: line("Name of the component."),
    version: line("Version of the component."),
    path: z
      .array(
        z
          .object({ ...elementSchema, componentName: line("Name of the component that it refers to.") })
          .describe("One component reference."),
      )
      .max(16)
      .describe("The component references that were followed.")
      .optional(),
    resource: z
      .object({ ...elementSchema, type: line("Its type.").optional() })
      .describe("The resource that was taken."),
    digest: digest("Digest of the resource's content: of a manifest or index, or of a blob."),
  })
  .describe("The OCM component version and the resource in it.");

export const selectedLayerSchema = z
  .object({
    digest: digest("Digest of the layer."),
    mediaType: line("Media type of the layer."),
    size: int64("Bytes of the layer."),
    offset: z.int().describe("Place of the layer in its manifest, from 0; -1 for the config blob."),
    title: line("The layer's org.opencontainers.image.title.").optional(),
    manifest: digest("Digest of the manifest that the layer belongs to."),
    artifactType: line("Effective type of that manifest.").optional(),
    platform: line("Platform of that manifest, where the index states one.").optional(),
  })
  .describe("One selected layer.");
export type SelectedLayer = z.output<typeof selectedLayerSchema>;

const skippedSchema = z
  .object({
    symlinks: int64("Symbolic links.").optional(),
    special: int64("Devices, FIFOs and sockets.").optional(),
    ignored: int64("Paths excluded by `ignore` and .sourceignore.").optional(),
  })
  .describe("How many archive entries were left out, by reason.");

const selectedSchema = z
  .object({
    operation: z.enum(["Extract", "Copy", "ExtractAll"]).describe("The operation that was done."),
    layout: z
      .enum(["Merge", "LayerPerDir", "ManifestPerDir"])
      .describe("ExtractAll: the layout that was made.")
      .optional(),
    profile: line("The known layout that the artifact was recognised as.").optional(),
    note: line("What was decided for want of a selector, such as the platform that was taken.").optional(),
    layerCount: z.int().min(0).describe("How many layers were selected."),
    layers: z
      .array(selectedLayerSchema)
      .max(MAX_SELECTED_ROWS)
      .describe(`The selected layers in order, at most ${MAX_SELECTED_ROWS}.`)
      .optional(),
    skipped: skippedSchema.optional(),
    leftOut: z
      .array(line("A path, and the pattern that leaves it out."))
      .max(3)
      .describe("The first of the ignored files, each with the pattern that names it.")
      .optional(),
  })
  .describe("What was taken from upstream for the artifact.");

const publishedSchema = z
  .object({
    kind: z.enum(["ExternalArtifact", "OCIRepository", "OCIArtifact"]).describe("What was published."),
    name: line("Name of the ExternalArtifact or OCIRepository.").optional(),
    url: line("Repository of the OCI artifact.").optional(),
    digest: digest("Digest of what is published: of the file, or of the pushed manifest.").optional(),
    tags: z.array(z.string().describe("A tag.")).max(64).describe("Tags that point at the pushed manifest.").optional(),
    preexisting: z
      .boolean()
      .describe("The manifest was in the repository before this object pushed it, so it is never deleted for it.")
      .optional(),
    signature: digest("Manifest of the signature by the key of `publish.oci.sign`.").optional(),
    attestation: digest("Manifest of the attestation that says how the artifact was made.").optional(),
  })
  .describe("One place where the artifact was published.");

const summarySchema = z
  .object({
    state: line(
      "`stored`, `in progress`, `retrying: REASON` or `stalled: REASON`; the whole message is in `conditions`.",
    )
      .max(64)
      .optional(),
    revision: line("`artifact.revision` with eight digits of its digest. It stays while a newer one fails.")
      .max(64)
      .optional(),
    selected: line("How many layers were selected, and the known layout that they were recognised as.")
      .max(64)
      .optional(),
  })
  .describe("The state in few words, for the columns of `kubectl get`; programs read `conditions` and `artifact`.");

/** `status`. Fields of a newer version are passed over, not refused. */
export const statusSchema = z
  .object({
    observedGeneration: int64("The metadata.generation that was last reconciled.").optional(),
    conditions: z
      .array(conditionSchema)
      .max(32)
      .meta({
        description: "The state of the object, by aspect.",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
      })
      .optional(),
    lastHandledReconcileAt: line(
      "The last value of the annotation reconcile.fluxcd.io/requestedAt that was acted on.",
    ).optional(),
    lastHandledExternalArtifactReconcileAt: line(
      "The last value of the same annotation of the ExternalArtifact, where a Flux Receiver sets it, that was acted on.",
    ).optional(),
    observedIgnore: line("`spec.ignore` as it was when the artifact was made.").optional(),
    observedContentConfigChecksum: line(
      "Checksum of those fields of the spec that decide the content of the artifact. While it, the upstream digest and " +
        "the stored file are unchanged, nothing is fetched.",
    ).optional(),
    artifact: artifactSchema.optional(),
    url: line("A stable address that always serves the latest artifact.").optional(),
    upstream: upstreamSchema.optional(),
    component: componentStatusSchema.optional(),
    selected: selectedSchema.optional(),
    published: z.array(publishedSchema).max(128).describe("Where the artifact was published.").optional(),
    summary: summarySchema.optional(),
  })
  .describe("What the controller did last.");
export type ArtifactRepositoryStatus = z.output<typeof statusSchema>;
export type ComponentStatus = z.output<typeof componentStatusSchema>;
export type UpstreamStatus = z.output<typeof upstreamSchema>;
export type SelectedStatus = z.output<typeof selectedSchema>;
export type PublishedStatus = z.output<typeof publishedSchema>;
export type StatusSummary = z.output<typeof summarySchema>;
