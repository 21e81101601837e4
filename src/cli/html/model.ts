import type { OperationName } from "../../operation/operation.ts";

/** What the page computes with, as JSON inside it. Manifests and layers are named by their place in these lists. */
export interface PageModel {
  /** `oci://host/repository`. */
  readonly url: string;
  readonly insecure: boolean;
  readonly ref: { readonly tag?: string; readonly digest?: string };
  readonly name: string;
  /** True where a part of the index cannot be read: then only a digest names a manifest without reading that part. */
  readonly isIncomplete: boolean;
  /** In walk order. */
  readonly manifests: readonly PageManifest[];
  readonly layers: readonly PageLayer[];
  readonly manifestConditions: readonly ManifestCondition[];
  readonly layerConditions: readonly LayerCondition[];
  /** What is taken without any selector; empty where that cannot be said. */
  readonly usualManifests: readonly number[];
  readonly usualLayers: readonly number[];
}

export interface PageManifest {
  readonly digest: string;
  /** Passed over unless a condition names attestations. */
  readonly isAttestation: boolean;
  /** What is done with its layers without a layerSelector. */
  readonly operation: OperationName;
  readonly isKnown: boolean;
  /** Whether it is the same without what its index says of it, so that its digest may stand for it. */
  readonly isPinnable: boolean;
  /** Its layers that may be taken without a filter. */
  readonly pool: readonly number[];
  /** Its layers and, last, its config where it holds something. */
  readonly layers: readonly number[];
}

export interface PageLayer {
  readonly manifest: number;
  readonly isConfig: boolean;
  /** Whether its type is that of an archive. */
  readonly isArchive: boolean;
}

/** One condition of indexSelector, and the manifests that it alone lets through. */
export interface ManifestCondition {
  readonly field: "artifactType" | "platform" | "annotations";
  /** The annotation's; undefined for the other fields. */
  readonly key?: string;
  readonly value: string;
  readonly matches: readonly number[];
  readonly namesAttestations: boolean;
}

/** One filter of layerSelector, and the layers and configs that it alone lets through. */
export interface LayerCondition {
  readonly field: "mediaType" | "annotations";
  readonly key?: string;
  readonly value: string;
  readonly matches: readonly number[];
}

/** The parts of a spec that picking decides. */
export interface PickedSpec {
  readonly ref: { readonly tag?: string; readonly digest?: string };
  readonly indexSelector?: {
    readonly platform?: string;
    readonly artifactType?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly match?: "All";
  };
  readonly layerSelector?: {
    readonly mediaType?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly offset?: number;
    readonly operation?: OperationName;
  };
}

/** What a spec says besides: from the form, or from flags. */
export interface Naming {
  readonly name: string;
  readonly namespace: string;
  readonly interval: string;
}
