import type { Fetcher } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import type { Descriptor, Digest, Layer, ManifestNode } from "../oci/types.ts";
import type { LayerNames, LayoutName, LayoutRules, OperationName } from "../operation/operation.ts";

/** spec.indexSelector, see api.md "Selection". Values of `annotations` and `artifactType` are globs. */
export interface IndexSelector {
  readonly platform?: string | undefined;
  readonly artifactType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Default: One. */
  readonly match?: "One" | "First" | "All" | undefined;
}

/** The choosing half of spec.layerSelector; how the layers are then combined is `OperationOptions`. */
export interface LayerSelector {
  readonly mediaType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  /** Default 0; negative counts from the end. */
  readonly offset?: number | undefined;
  readonly operation?: OperationName | undefined;
  readonly layout?: LayoutName | undefined;
  readonly filename?: string | undefined;
}

export interface SelectRequest {
  /** What the reference resolved to. */
  readonly root: Descriptor;
  readonly repository: Fetcher;
  readonly indexSelector?: IndexSelector | undefined;
  readonly layerSelector?: LayerSelector | undefined;
  /** Whether `spec.ignore` names what is to be left out, for which an archive has to be extracted. */
  readonly ignores?: boolean | undefined;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Told of every index, manifest and layer that was looked at, also before the selection fails. */
  readonly onDecision?: ((decision: Decision) => void) | undefined;
}

/** Why something was taken or passed over, for `strata build --dry-run`. */
export interface Decision {
  readonly kind: "index" | "manifest" | "layer";
  readonly digest: Digest;
  /** Number of indexes above; a layer counts as its manifest does. */
  readonly depth: number;
  /** Media type, platform or title: what a person knows it by. */
  readonly label: string;
  readonly taken: boolean;
  /** A clause such as `its platform linux/arm64 is not linux/amd64`. */
  readonly reason: string;
}

/** What was selected, in walk then layer order, and how it is to be combined. */
export interface Selection {
  readonly nodes: readonly ManifestNode[];
  readonly layers: readonly Layer[];
  /** As far as it can be told before the layers are there, see `isUndecided`. */
  readonly operation: OperationName;
  readonly layout: LayoutName;
  /** Name template: the selector's. */
  readonly filename?: string;
  /** Name without extension of a raw layer, where its repository's name is not its own. */
  readonly stem?: string;
  /** How the known layout names a raw layer; it comes after `filename` and before the title. */
  readonly nameOf?: LayerNames;
  /** What else the known layout has: modes, files that its config stands for. */
  readonly rules?: LayoutRules;
  /** Without a word on what to do: an archive is extracted, else it is copied, as the first bytes say. */
  readonly isUndecided?: boolean;
  /** Name of the known layout; undefined for one that is not known. */
  readonly profile?: string;
  /** What was decided for want of a selector, such as the platform that was taken. */
  readonly note?: string;
}
