/** The repository credentials are wanted for. */
export interface CredentialTarget {
  /** `registry.example:5000`, without a scheme. */
  readonly registry: string;
  /** `team/app` */
  readonly repository: string;
}

/** What is shown to a registry, or to the token endpoint that it names. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token (`identitytoken` of a Docker configuration); exchanged at the token endpoint. */
  | { readonly kind: "identityToken"; readonly token: string }
  /** A token that the registry itself takes (`registrytoken` of a Docker configuration). */
  | { readonly kind: "bearer"; readonly token: string };

/** Finds credentials; asked once for each opened repository, and again when the registry refuses them. */
export interface CredentialProvider {
  /**
   * @returns undefined for anonymous access
   * @throws SecretNotFound, SecretInvalid, CloudAuthFailed, …
   */
  resolve(target: CredentialTarget, signal: AbortSignal): Promise<Credential | undefined>;
  /**
   * A clause for the message of a refusal: where the credentials for `target` come from, or why there are none, and what
   * to write. It names Secrets, files and entries, never what is in them.
   */
  explain?(target: CredentialTarget, signal: AbortSignal): Promise<string | undefined>;
  /**
   * Whether the registry is one that somebody has written down, be it for anonymous access: only then may a stranger's
   * reference lead to it. Without this, none is.
   */
  knows?(target: CredentialTarget, signal: AbortSignal): Promise<boolean>;
}
