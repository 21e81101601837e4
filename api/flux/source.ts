import type { artifactSchema, Condition } from "../v1beta1/status.ts";
import type { z } from "zod";

export const SOURCE_API_VERSION = "source.toolkit.fluxcd.io/v1";

/** The fields of metav1.ObjectMeta that are read or written on Flux's objects. */
export interface FluxObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly ownerReferences?: readonly OwnerReference[];
}

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean;
  readonly blockOwnerDeletion?: boolean;
}

/** Flux's meta.Artifact. */
export type FluxArtifact = z.output<typeof artifactSchema>;

/** RFC-0012: an artifact that is made by a controller outside Flux. */
export interface ExternalArtifact {
  readonly apiVersion: typeof SOURCE_API_VERSION;
  readonly kind: "ExternalArtifact";
  readonly metadata: FluxObjectMeta;
  readonly spec: {
    readonly sourceRef: {
      readonly apiVersion?: string;
      readonly kind: string;
      readonly name: string;
      readonly namespace?: string;
    };
  };
  readonly status?: {
    readonly artifact?: FluxArtifact;
    readonly conditions?: readonly Condition[];
    readonly exportedInputs?: ExportedInputs;
  };
}

/** What a ResourceSet takes as inputs; any JSON in Flux (2.10 and later), these values where Strata writes it. */
export interface ExportedInputs {
  readonly url?: string;
  readonly tag?: string;
  readonly digest?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The fields of Flux's OCIRepository that a managed one has. */
export interface OciRepository {
  readonly apiVersion: typeof SOURCE_API_VERSION;
  readonly kind: "OCIRepository";
  readonly metadata: FluxObjectMeta;
  readonly spec: {
    readonly url: string;
    readonly interval: string;
    /** Not every version of the CRD has a default for it. */
    readonly timeout?: string;
    readonly ref?: { readonly digest?: string; readonly tag?: string };
    readonly provider?: string;
    readonly secretRef?: { readonly name: string };
    readonly serviceAccountName?: string;
    readonly certSecretRef?: { readonly name: string };
    readonly proxySecretRef?: { readonly name: string };
    readonly insecure?: boolean;
    readonly layerSelector?: { readonly mediaType?: string; readonly operation?: "extract" | "copy" };
  };
  readonly status?: {
    readonly artifact?: FluxArtifact;
    readonly conditions?: readonly Condition[];
  };
}
