import { isDeepStrictEqual } from "node:util";
import { secrets, serviceAccounts, type ResourceType } from "../../api/kinds.ts";
import { credentialDefaults, defaultLimits, sharedReadsDefaults } from "../config.ts";
import type { Place } from "../component/locate.ts";
import type { CloudCredentials, RequestToken } from "../credentials/cloud.ts";
import { cloudCredentials } from "../credentials/clouds.ts";
import { readProxySecret, readTlsSecret, type TlsSecret } from "../credentials/connection-secrets.ts";
import { canonicalHost } from "../credentials/docker-config.ts";
import type { Credential, CredentialProvider, CredentialTarget } from "../credentials/provider.ts";
import { objectCredentials } from "../credentials/secret.ts";
import { accountCredentials } from "../credentials/service-account.ts";
import {
  readSecret,
  type Read,
  type Secret,
  type SecretSource,
  type ServiceAccount,
} from "../credentials/secret-data.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { KubeClient, KubeObject } from "../kube/client.ts";
import type { SharedRepository } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import { parseReference, type RegistryReference } from "../oci/reference.ts";
import type { RegistryClient } from "../registry/client.ts";
import { accessKey, type ProvedAccess } from "../sharing/access-key.ts";
import { patienceFor } from "../sharing/shared-work.ts";
import { type NamedReference, referencesOf, targetReferences, tellingAllMissing } from "./missing-references.ts";
import type { RegistryAccess, Sources, TargetAccess } from "./ports.ts";
import { SharedReads } from "./shared-reads.ts";
import { repositoryOf, timeoutMs } from "./spec.ts";
import { verifyPolicyOf } from "./verify-policy.ts";

export interface SourceOptions {
  readonly registry: RegistryClient;
  readonly kube: KubeClient;
  readonly clouds: CloudCredentials;
  readonly limits: Limits;
  /** Service account of objects with a cloud provider that name none; "" for none. */
  readonly defaultServiceAccount: string;
  /** Outside a cluster: whose credentials are used where an object names none. */
  readonly ownCredentials?: CredentialProvider | undefined;
}

/** Repositories opened with what the Secrets of the object's namespace say at that moment. */
export interface ClusterSources extends Sources {
  openTarget(
    url: string,
    access: TargetAccess,
    context: { readonly namespace: string; readonly timeoutMs: number },
    signal: AbortSignal,
  ): Promise<{ readonly repository: SharedRepository; readonly reference: RegistryReference }>;
  signingSecret(name: string, namespace: string, signal: AbortSignal): Promise<ReadonlyMap<string, Buffer>>;
}

/** The same outside of a cluster: nobody lends an identity, and who runs the program asks where an object names no credentials. */
export function localSources(options: Pick<SourceOptions, "registry" | "kube" | "ownCredentials">): ClusterSources {
  const clouds = cloudCredentials({}, credentialDefaults.cloud);
  return clusterSources({ ...options, clouds, limits: defaultLimits, defaultServiceAccount: "" });
}

/**
 * Sources with the Secrets, accounts and identities that the Kubernetes API has; what they read is shared between
 * objects.
 */
export function clusterSources(options: SourceOptions): ClusterSources {
  const reads = new SharedReads(sharedReadsDefaults);
  return {
    open: async (spec, namespace, freshness, signal) => {
      const wanted = { reference: repositoryOf(spec), access: spec, namespace, timeoutMs: timeoutMs(spec) };
      const { repository, access } = await openNamed(options, wanted, referencesOf(spec), signal);
      return reads.share(repository, access, { ...freshness, patienceMs: patienceFor(wanted.timeoutMs) });
    },
    openBeside: async (spec, place, { namespace, freshness }, signal) => {
      const own = repositoryOf(spec).registry;
      const isOwnHost = canonicalHost(own) === canonicalHost(place.registry);
      const access = isOwnHost ? spec : accessElsewhere(spec);
      const wanted = { reference: place, access, namespace, timeoutMs: timeoutMs(spec) };
      if (!isOwnHost) await requireKnown(options, wanted, signal);
      const opened = await openNamed(options, wanted, referencesOf(spec), signal);
      return reads.share(opened.repository, opened.access, {
        ...freshness,
        patienceMs: patienceFor(wanted.timeoutMs),
      });
    },
    openTarget: async (url, access, context, signal) => {
      const reference = parseReference(url);
      if (reference.kind !== "registry")
        throw new CodedError("InvalidReference", `publish.oci.url is ${url}; write oci://registry/repository`);
      const wanted = { reference, access, ...context };
      const { repository } = await openNamed(options, wanted, targetReferences(access), signal);
      return { reference, repository };
    },
    signingSecret: async (name, namespace, signal) =>
      (await readSecret(secretSource(options.kube, namespace), name, "publish.oci.sign.secretRef", signal)).values,
    verifyPolicy: async (spec, namespace, signal) => {
      const source = secretSource(options.kube, namespace);
      const policy = verifyPolicyOf(
        spec.verify!,
        async (name, field) => (await readSecret(source, name, field, signal)).values,
      );
      return await tellingAllMissing(policy, referencesOf(spec), source, signal);
    },
  };
}

/** What may be shown to another registry than that of `url`: its own entry in the pull secrets, and no client certificate. */
function accessElsewhere({ secretRef, serviceAccountName, certSecretRef, proxySecretRef }: RegistryAccess): Access {
  const pullSecrets = { secretRef, serviceAccountName };
  return { provider: "generic", ...pullSecrets, certSecretRef, proxySecretRef, insecure: false, certificate: "none" };
}

async function requireKnown(
  options: SourceOptions,
  { reference, access, namespace }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const credentials = credentialsOf(options, secretSource(options.kube, namespace), access);
  if (await credentials.knows?.(reference, signal)) return;
  const { registry, repository } = reference;
  const secret = access.secretRef === undefined ? "a Secret that secretRef names" : `Secret ${access.secretRef.name}`;
  throw new CodedError(
    "SecretInvalid",
    `the component version refers to ${registry}/${repository}, on another registry than url's, which is asked only with credentials of its own: add ${registry} to ${options.ownCredentials && access.secretRef === undefined ? 'Docker\'s config.json with "docker login"' : secret}; an entry without credentials is enough for what is public`,
  );
}

/** `certificate: "none"`: the client certificate is kept back, as it is shown to whoever asks. */
type Access = RegistryAccess & { readonly certificate?: "none" };

interface Wanted {
  readonly reference: Place;
  readonly access: Access;
  readonly namespace: string;
  readonly timeoutMs: number;
}

/** A repository, and a name for everything that decides what the registry shows in it. */
interface Opened {
  readonly repository: SharedRepository;
  readonly access: ProvedAccess;
}

/** @param named what is looked at where something is missing */
async function openNamed(
  options: SourceOptions,
  wanted: Wanted,
  named: readonly NamedReference[],
  signal: AbortSignal,
): Promise<Opened> {
  const source = secretSource(options.kube, wanted.namespace);
  return await tellingAllMissing(openRepository(options, wanted, signal), named, source, signal);
}

async function openRepository(
  options: SourceOptions,
  { reference, access, namespace, timeoutMs }: Wanted,
  signal: AbortSignal,
): Promise<Opened> {
  const source = secretSource(options.kube, namespace);
  const [material, proxy, { credentials, first, holds }] = await allFound(
    access.certSecretRef && readTlsSecret(source, access.certSecretRef.name, signal),
    access.proxySecretRef && readProxySecret(source, access.proxySecretRef.name, signal),
    asked(credentialsOf(options, source, access), reference, signal),
  );
  const tls = material && access.certificate === "none" ? withoutCertificate(material) : material;
  const insecure = access.insecure ?? false;
  const repository = options.registry.repository(reference, {
    credentials,
    insecure,
    tls,
    proxy,
    timeoutMs,
    limits: options.limits,
  });
  const key = accessKey({ name: repository.name, insecure, first, tls, proxy });
  return { repository, access: { key, holds } };
}

/** @throws SecretNotFound where anything is missing, else the first failure */
async function allFound<A, B, C>(a: A, b: B, c: C): Promise<[Awaited<A>, Awaited<B>, Awaited<C>]> {
  const results = await Promise.allSettled([a, b, c]);
  const failures = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
  if (failures.length === 0) return await Promise.all([a, b, c]);
  throw failures.find((failure) => codeOf(failure) === "SecretNotFound") ?? failures[0];
}

function withoutCertificate({ ca }: TlsSecret): TlsSecret {
  return ca === undefined ? {} : { ca };
}

/** The provider with its first answer already known, which tells objects with different credentials apart while it is the only one. */
async function asked(
  provider: CredentialProvider,
  target: CredentialTarget,
  signal: AbortSignal,
): Promise<{ credentials: CredentialProvider; first: Credential | undefined; holds: () => boolean }> {
  const first = await provider.resolve(target, signal);
  let isFresh = true;
  let isOnly = true;
  const resolve: CredentialProvider["resolve"] = async (wanted, within) => {
    if (isFresh) {
      isFresh = false;
      return first;
    }
    const renewed = await provider.resolve(wanted, within);
    isOnly &&= isDeepStrictEqual(renewed, first);
    return renewed;
  };
  const explain: CredentialProvider["explain"] = async (wanted, within) => await provider.explain?.(wanted, within);
  return { credentials: { resolve, explain }, first, holds: () => isOnly };
}

function credentialsOf(
  { clouds, kube, defaultServiceAccount, ownCredentials }: SourceOptions,
  source: SecretSource,
  access: RegistryAccess,
): CredentialProvider {
  const { provider, secretRef } = access;
  const named = access.serviceAccountName || undefined;
  const requestToken: RequestToken = async (namespace, name, wanted, signal) =>
    await kube.requestToken({ namespace, name }, wanted, signal);
  if (provider === "generic") {
    // As in Flux, a named Secret comes before whatever the account has.
    if (secretRef !== undefined || named === undefined)
      return objectCredentials(source, { secretRef, serviceAccountName: named }, ownCredentials);
    const identity = clouds.ofServiceAccount("generic", source, named, requestToken);
    return accountCredentials(source, named, { identity, own: ownCredentials });
  }
  // With a cloud the service account lends its identity, not its pull secrets; as in Flux, only then there is a default one.
  const serviceAccountName = named ?? (defaultServiceAccount || undefined);
  const cloud =
    serviceAccountName === undefined
      ? clouds.ofController(provider)
      : clouds.ofServiceAccount(provider, source, serviceAccountName, requestToken);
  return objectCredentials(source, { secretRef }, cloud);
}

function secretSource(kube: KubeClient, namespace: string): SecretSource {
  return {
    namespace,
    secrets: reader<Secret>(kube, secrets),
    serviceAccounts: reader<ServiceAccount>(kube, serviceAccounts),
  };
}

function reader<T>(kube: KubeClient, type: ResourceType): Read<T> {
  return async (namespace, name, signal) => {
    const object = await kube.get<KubeObject & T>(type, { namespace, name }, signal);
    if (object === undefined) throw new CodedError("NotFound", `${type.kind} ${namespace}/${name} does not exist`);
    return object;
  };
}
