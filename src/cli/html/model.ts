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
  /** The resources of an OCM component version; empty for anything else. */
  readonly resources: readonly PageResource[];
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
  /** What reads what it holds, where its layout tells. */
  readonly consumer: Consumer | undefined;
  /** Whether it is the same without what its index says of it, so that its digest may stand for it. */
  readonly isPinnable: boolean;
  /** Its layers that may be taken without a filter. */
  readonly pool: readonly number[];
  /** Its layers and, last, its config where it holds something. */
  readonly layers: readonly number[];
}

/** What reads an artifact: a chart is installed, Kubernetes manifests are applied. */
export type Consumer = "HelmRelease" | "Kustomization";

/** A resource that can be told from the others, and read. */
export interface PageResource {
  readonly selector: ResourceSelector;
  readonly consumer: Consumer | undefined;
}

/** `component.resource` */
export interface ResourceSelector {
  readonly name: string;
  readonly version?: string | undefined;
  readonly extraIdentity?: Readonly<Record<string, string>> | undefined;
}

/** What is ticked, by place in the lists of the model; ascending. */
export interface Picks {
  readonly layers: readonly number[];
  readonly resources: readonly number[];
}

export interface PageLayer {
  readonly manifest: number;
  readonly isConfig: boolean;
  /** Whether its type is that of an archive. */
  readonly isArchive: boolean;
}

/** One condition of indexSelector, and the manifests that it alone lets through, ascending. */
export interface ManifestCondition {
  readonly field: "artifactType" | "platform" | "annotations";
  /** The annotation's; undefined for the other fields. */
  readonly key?: string;
  readonly value: string;
  readonly matches: readonly number[];
  readonly namesAttestations: boolean;
}

/** One filter of layerSelector, and the layers and configs that it alone lets through, ascending. */
export interface LayerCondition {
  readonly field: "mediaType" | "annotations";
  readonly key?: string;
  readonly value: string;
  readonly matches: readonly number[];
}

/** The parts of a spec that picking decides. */
export interface PickedSpec {
  readonly ref: { readonly tag?: string; readonly digest?: string };
  readonly component?: { readonly resource: ResourceSelector };
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
