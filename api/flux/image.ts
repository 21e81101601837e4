import type { Condition } from "../v1beta1/status.ts";
import type { FluxObjectMeta } from "./source.ts";

export const IMAGE_API_VERSION = "image.toolkit.fluxcd.io/v1";

/** The part of Flux's ImagePolicy that `spec.ref.imagePolicyRef` follows. */
export interface ImagePolicy {
  readonly apiVersion: typeof IMAGE_API_VERSION;
  readonly kind: "ImagePolicy";
  readonly metadata: FluxObjectMeta;
  readonly status?: {
    /** `name` is the image without tag: `ghcr.io/org/app`. `digest` is there when the policy reflects digests. */
    readonly latestRef?: { readonly name: string; readonly tag: string; readonly digest?: string };
    readonly conditions?: readonly Condition[];
  };
}
