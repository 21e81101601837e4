import * as z from "zod";
import { stringMap, text } from "./fields.ts";
import { isSet, withRules } from "./rules.ts";
import { filenameTemplate } from "./syntax.ts";

/** `spec.indexSelector`: which manifests of a (nested) index. */
export const indexSelectorSchema = z
  .strictObject({
    platform: z
      .string()
      .max(256)
      .regex(
        /^[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)?$/,
        "write os/architecture or os/architecture/variant, such as linux/arm64/v8",
      )
      .describe(
        "`os/architecture[/variant]`, such as `linux/arm64/v8`, compared with the platform that the index states for the manifest.",
      )
      .optional(),
    artifactType: text(
      "Glob on the effective type, such as `application/vnd.cncf.helm.*`: the descriptor's artifactType, else the manifest's, else its config's media type.",
    ).optional(),
    annotations: stringMap(
      "Globs by annotation key, such as `org.opencontainers.image.title: app-*`; every one must match the manifest's annotations as overlaid by its descriptor's.",
    ).optional(),
    match: z
      .enum(["One", "First", "All"])
      .default("One")
      .describe(
        "`One`: more than one match is an error. `First` and `All` take matches in the order of the index, depth first.",
      ),
  })
  .describe("Which manifests of a (nested) index to take. Every condition must hold.");

/** Flux writes the operations in lower case. */
function canonicalOperation(operation: "Extract" | "Copy" | "ExtractAll" | "extract" | "copy") {
  if (operation === "extract") return "Extract";
  return operation === "copy" ? "Copy" : operation;
}

/** `spec.layerSelector`: which layers, and what happens to them. */
export const layerSelectorSchema = withRules(
  z
    .strictObject({
      mediaType: text(
        "Media type of the layers, exact or a glob, such as `application/vnd.cncf.helm.chart.content.*`. It also selects the config blob when it matches its type.",
      ).optional(),
      annotations: stringMap(
        "Globs by annotation key, such as `org.opencontainers.image.title: *.yaml`; every one must match the layer's annotations.",
      ).optional(),
      offset: z
        .int()
        .min(-10_000)
        .max(10_000)
        .default(0)
        .describe("Which of the matching layers Copy and Extract take: 0 is the first, -1 the last."),
      operation: z
        .enum(["Extract", "Copy", "ExtractAll", "extract", "copy"])
        .transform(canonicalOperation)
        .describe(
          "`Extract`: the content of one archive. `Copy`: the layer itself. `ExtractAll`: every selected layer in one tree. " +
            "Flux's `extract` and `copy` are accepted. When absent: Extract of the first match where the selector is only an " +
            "exact `mediaType`, as in Flux, unless that names a format of files such as JSON; else the profile of a known layout " +
            "decides, else Extract.",
        )
        .optional(),
      filename: text(
        "Name of a copied file, of a raw layer under ExtractAll, or of each directory under the *PerDir layouts. " +
          "May hold variables such as `{title}`, `{tag}` and `{ext}`.",
      ).optional(),
      layout: z
        .enum(["Merge", "LayerPerDir", "ManifestPerDir"])
        .describe(
          "ExtractAll: one directory for everything (`Merge`, the default), for each layer, or for each manifest.",
        )
        .optional(),
      onConflict: z
        .enum(["Fail", "Overwrite", "Keep"])
        .default("Fail")
        .describe("ExtractAll with Merge: what to do when two layers hold the same path with different content."),
      symlinks: z
        .enum(["Skip", "Follow"])
        .default("Skip")
        .describe(
          "No artifact holds a symlink. `Skip` leaves them out and counts them; `Follow` puts the target's content in " +
            "their place, inside the tree only.",
        ),
    })
    .describe("Which layers of the selected manifests to take, and what to do with them."),
  [
    {
      // Extract makes one directory, too, so that the default may stand beside it.
      cel: "!has(self.layout) || !has(self.operation) || self.operation == 'ExtractAll' || (self.layout == 'Merge' && self.operation in ['Extract', 'extract'])",
      holds: ({ layout, operation = "ExtractAll" }) =>
        layout === undefined || operation === "ExtractAll" || (layout === "Merge" && operation === "Extract"),
      message: "layout is for ExtractAll; write operation: ExtractAll or remove layout",
    },
    {
      cel: "!has(self.onConflict) || self.onConflict == 'Fail' || !has(self.operation) || self.operation == 'ExtractAll'",
      holds: ({ onConflict, operation }) => onConflict === "Fail" || (operation ?? "ExtractAll") === "ExtractAll",
      message: "onConflict is for ExtractAll; write operation: ExtractAll or remove onConflict",
    },
    {
      cel: "!has(self.onConflict) || self.onConflict == 'Fail' || !has(self.layout) || self.layout == 'Merge'",
      holds: ({ onConflict, layout }) => onConflict === "Fail" || (layout ?? "Merge") === "Merge",
      message: "onConflict is for layout Merge; the other layouts cannot conflict",
    },
    {
      cel: "!has(self.offset) || self.offset == 0 || !has(self.operation) || self.operation != 'ExtractAll'",
      holds: ({ offset, operation }) => offset === 0 || operation !== "ExtractAll",
      message: "offset picks one layer, ExtractAll takes every one; remove offset or write operation: Extract",
    },
    {
      field: "filename",
      cel: "!has(self.filename) || self.filename == '' || !has(self.operation) || !(self.operation in ['Extract', 'extract'])",
      holds: ({ filename, operation }) => !isSet(filename) || operation !== "Extract",
      message: "filename names what is copied, and Extract copies nothing; write operation: Copy or remove filename",
    },
    {
      field: "symlinks",
      cel: "!has(self.symlinks) || self.symlinks == 'Skip' || !has(self.operation) || !(self.operation in ['Copy', 'copy'])",
      holds: ({ symlinks, operation }) => symlinks === "Skip" || operation !== "Copy",
      message:
        "symlinks is for what is extracted, and Copy leaves a layer as it is; remove it or write operation: Extract",
    },
  ],
  [filenameTemplate],
);
