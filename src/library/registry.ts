/**
 * `strata/registry`: repositories on registries and in image layouts. What is named here is public: it changes by semantic
 * versioning, and docs/library.md describes it.
 */
export type { Credential, CredentialProvider, CredentialTarget } from "../credentials/provider.ts";
export type { TlsMaterial } from "../http/secure-context.ts";
export type { Limits } from "../oci/limits.ts";
export type { Visit } from "../oci/walk.ts";
export type { ProxyServer } from "../registry/proxy.ts";
export { dockerCredentials, openLayout, Registry, type RegistryOptions } from "./open.ts";
export type { Document, PushOptions, ReadOptions, Repository, WalkChoice } from "./repository.ts";
