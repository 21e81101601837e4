import {
  type DockerAuth,
  explainAuths,
  findAuth,
  findCredential,
  parseDockerCfg,
  parseDockerConfig,
} from "./docker-config.ts";
import type { CredentialProvider } from "./provider.ts";
import { readSecret, readServiceAccount, type SecretData, secretInvalid, type SecretSource } from "./secret-data.ts";

/** The fields of a spec that name pull secrets. */
export interface PullSecretRefs {
  readonly secretRef?: { readonly name: string } | undefined;
  readonly serviceAccountName?: string | undefined;
}

/**
 * The entries of `secretRef` and of the imagePullSecrets of `serviceAccountName`, the former first; undefined where none is
 * named. Read anew each time, so that a rotated Secret takes effect at once.
 *
 * @throws SecretNotFound, SecretInvalid
 */
export async function readPullSecrets(
  source: SecretSource,
  refs: PullSecretRefs,
  signal: AbortSignal,
): Promise<readonly DockerAuth[] | undefined> {
  const named: { name: string; field: string }[] = [];
  if (refs.secretRef) named.push({ name: refs.secretRef.name, field: "secretRef" });
  if (refs.serviceAccountName) {
    const account = await readServiceAccount(source, refs.serviceAccountName, signal);
    const field = `imagePullSecrets of ServiceAccount ${source.namespace}/${refs.serviceAccountName}`;
    named.push(...(account.imagePullSecrets ?? []).flatMap(({ name }) => (name ? [{ name, field }] : [])));
  }
  if (named.length === 0) return undefined;
  const secrets = await Promise.all(
    named.map(async ({ name, field }) => await readSecret(source, name, field, signal)),
  );
  return secrets.flatMap(authsOf);
}

/** The two kinds of pull secret: type, key and form. */
const forms = {
  "kubernetes.io/dockerconfigjson": {
    key: ".dockerconfigjson",
    parse: (bytes: Uint8Array, name: string) => parseDockerConfig(bytes, name).auths,
  },
  "kubernetes.io/dockercfg": { key: ".dockercfg", parse: parseDockerCfg },
} as const;

function authsOf(secret: SecretData): readonly DockerAuth[] {
  const form = Object.hasOwn(forms, secret.type ?? "") ? forms[secret.type as keyof typeof forms] : undefined;
  if (form === undefined) {
    throw secretInvalid(
      secret,
      `is of type ${secret.type ?? "Opaque"}; registry credentials are of type kubernetes.io/dockerconfigjson ("kubectl create secret docker-registry")`,
    );
  }
  const bytes = secret.values.get(form.key);
  if (!bytes?.length) throw secretInvalid(secret, `has no ${form.key}`);
  return form.parse(bytes, `Secret ${secret.name}, key ${form.key}`);
}

/** Credentials for an object: its pull secrets where it names any, else the identity of its cloud, else none; as in Flux. */
export function objectCredentials(
  source: SecretSource,
  refs: PullSecretRefs,
  cloud: CredentialProvider | undefined,
): CredentialProvider {
  return {
    resolve: async (target, signal) => {
      const auths = await readPullSecrets(source, refs, signal);
      return auths === undefined ? await cloud?.resolve(target, signal) : findCredential(auths, target);
    },
    explain: async (target, signal) => {
      const auths = await readPullSecrets(source, refs, signal);
      if (auths === undefined && cloud !== undefined) return await cloud.explain?.(target, signal);
      if (auths === undefined) return "no credentials were shown: neither secretRef nor serviceAccountName is set";
      return auths.length === 0
        ? `no credentials were shown: ${named(source, refs)} holds no entries`
        : explainAuths(auths, target);
    },
    knows: async (target, signal) => {
      const auths = await readPullSecrets(source, refs, signal);
      if (auths !== undefined) return findAuth(auths, target) !== undefined;
      return (await cloud?.knows?.(target, signal)) ?? false;
    },
  };
}

function named({ namespace }: SecretSource, { secretRef, serviceAccountName }: PullSecretRefs): string {
  const names = [
    secretRef && `Secret ${namespace}/${secretRef.name}`,
    serviceAccountName && `ServiceAccount ${namespace}/${serviceAccountName}`,
  ];
  return names.filter(Boolean).join(" and ");
}
