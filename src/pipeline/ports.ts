import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { Place } from "../component/locate.ts";
import type { Repository } from "../oci/content.ts";
import type { VerifyPolicy } from "../verify/verifier.ts";

/** How a registry is reached and who asks: the fields that `spec` and `spec.publish.oci` share. */
export type RegistryAccess = Pick<
  ArtifactRepositorySpec,
  "provider" | "secretRef" | "serviceAccountName" | "certSecretRef" | "proxySecretRef" | "insecure"
>;

/** How `spec.publish.oci` is reached, and the key that signs what is pushed there. */
export type TargetAccess = RegistryAccess & {
  readonly sign?: { readonly secretRef: { readonly name: string } } | undefined;
};

/** Moments by performance.now; what was asked before them is asked again. */
export interface Freshness {
  readonly since: number;
  readonly tagsSince: number;
}

/** Opens what a spec names, with the credentials that the object may use. Open one for each reconcile. */
export interface Sources {
  /**
   * @param freshness how old an answer may be that another object has got with the same credentials
   * @throws InvalidReference, SecretNotFound, SecretInvalid, …
   */
  open(spec: ArtifactRepositorySpec, namespace: string, freshness: Freshness, signal: AbortSignal): Promise<Repository>;
  /**
   * Opens another repository than the spec's, to which a component version refers. On the same registry it is asked as the spec
   * says; on another one only over TLS, and only where the object's pull secrets name it. No other credentials go there.
   * @throws SecretInvalid where they do not
   */
  openBeside(
    spec: ArtifactRepositorySpec,
    place: Place,
    context: { readonly namespace: string; readonly freshness: Freshness },
    signal: AbortSignal,
  ): Promise<Repository>;
  /** Keys and identities of `spec.verify`. @throws SecretNotFound, SecretInvalid, InvalidSpec */
  verifyPolicy(spec: ArtifactRepositorySpec, namespace: string, signal: AbortSignal): Promise<VerifyPolicy>;
}

/** A scratch directory on the file system of the storage. */
export interface Scratch {
  readonly dir: string;
  remove(): Promise<void>;
}
