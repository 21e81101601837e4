import { CodedError } from "../errors.ts";
import { parseJsonObject } from "../text/json.ts";
import type { Cloud, CloudAccount } from "./cloud.ts";
import { objectCredentials } from "./secret.ts";
import type { CredentialProvider } from "./provider.ts";
import { readServiceAccount, type SecretSource, type ServiceAccount } from "./secret-data.ts";

/** Flux's annotations of a ServiceAccount (RFC-0014, "Flux Object Identity API"). */
const prefix = "credential.auth.fluxcd.io/";
const keys = {
  provider: `${prefix}provider`,
  type: `${prefix}type`,
  audiences: `${prefix}audiences`,
  expirationSeconds: `${prefix}expiration-seconds`,
  username: `${prefix}username`,
} as const;

/** The API server makes none that is shorter; longer ones than a day are not short-lived. */
const [leastSeconds, mostSeconds] = [600, 86_400];
/** Where a token does not say when it ends, which those of Kubernetes do. */
const unknownLifeMs = leastSeconds * 1000;
const maxAudiences = 16;

/**
 * Whether the account itself is shown to the registry, rather than its pull secrets: where it says so, and where it has no
 * pull secrets but any of the annotations.
 */
function lendsIdentity({ metadata, imagePullSecrets = [] }: ServiceAccount): boolean {
  const annotations = metadata?.annotations ?? {};
  if (annotations[keys.provider] !== undefined) return true;
  return imagePullSecrets.length === 0 && Object.values(keys).some((key) => annotations[key] !== undefined);
}

/**
 * Credentials of a registry that takes tokens of ServiceAccounts (OIDC), such as Zot and Harbor: the token as it is, or as the
 * password of a user name.
 */
export function serviceAccountTokens(): Cloud {
  return {
    scopeOf: ({ registry }) => registry,
    exchange: async ({ target, account }) => {
      if (account === undefined) throw new CodedError("CloudAuthFailed", "no ServiceAccount is named");
      const { audiences = [`https://${target.registry}`], expirationSeconds, username } = settingsOf(account);
      const token = await account.token({ audiences, ...(expirationSeconds !== undefined && { expirationSeconds }) });
      return {
        credential: username === undefined ? { kind: "bearer", token } : { kind: "basic", username, password: token },
        expiresAt: endOf(token),
      };
    },
  };
}

/** The credentials of an account, by what it is at that moment: its identity or its pull secrets. */
export function accountCredentials(
  source: SecretSource,
  serviceAccountName: string,
  { identity, own }: { readonly identity: CredentialProvider; readonly own?: CredentialProvider | undefined },
): CredentialProvider {
  const chosen = async (signal: AbortSignal): Promise<CredentialProvider> => {
    const account = await readServiceAccount(source, serviceAccountName, signal);
    const known = { ...source, serviceAccounts: () => Promise.resolve(account) };
    return lendsIdentity(account) ? identity : objectCredentials(known, { serviceAccountName }, own);
  };
  return {
    resolve: async (target, signal) => await (await chosen(signal)).resolve(target, signal),
    explain: async (target, signal) => {
      const account = await readServiceAccount(source, serviceAccountName, signal);
      return own !== undefined || lendsIdentity(account) || (account.imagePullSecrets ?? []).length > 0
        ? await (await chosen(signal)).explain?.(target, signal)
        : `no credentials were shown: ServiceAccount ${source.namespace}/${serviceAccountName} has neither imagePullSecrets nor the annotation ${keys.provider}: kubernetes, which shows a token of its own`;
    },
    // A token is made for the registry of the spec, and shown to no other one.
    knows: async (target, signal) => (await (await chosen(signal)).knows?.(target, signal)) ?? false,
  };
}

interface Settings {
  readonly audiences?: readonly string[] | undefined;
  readonly expirationSeconds?: number | undefined;
  readonly username?: string | undefined;
}

/** What is wrong with a value, and what to write; undefined where nothing is. */
const problems: Readonly<Record<keyof typeof keys, (value: string) => string | undefined>> = {
  provider: (value) =>
    value === "kubernetes" ? undefined : `is ${JSON.stringify(value)}; only kubernetes is supported`,
  type: (value) => (value === "jwt" ? undefined : `is ${JSON.stringify(value)}; only jwt is supported`),
  audiences: (value) => {
    const { length } = listOf(value);
    const isGood = length > 0 && length <= maxAudiences;
    return isGood ? undefined : `names ${length} audiences; write 1 to ${maxAudiences}, separated by commas`;
  },
  expirationSeconds: (value) => {
    const isGood = /^\d+$/.test(value) && Number(value) >= leastSeconds && Number(value) <= mostSeconds;
    return isGood ? undefined : `is ${JSON.stringify(value)}; write ${leastSeconds} to ${mostSeconds} seconds`;
  },
  username: (value) => (/^[^:\p{Cc}]+$/u.test(value) ? undefined : "is empty, or holds a colon or a control character"),
};

const listOf = (value: string): string[] => value.split(/[\s,]+/).filter(Boolean);

/** @throws CloudAuthFailed with the annotation, and what to write */
function settingsOf({ namespace, name, annotations }: CloudAccount): Settings {
  const read = (key: keyof typeof keys): string | undefined => {
    const value = annotations[keys[key]]?.trim();
    const problem = value === undefined ? undefined : problems[key](value);
    if (problem === undefined) return value;
    throw new CodedError("CloudAuthFailed", `ServiceAccount ${namespace}/${name}: annotation ${keys[key]} ${problem}`);
  };
  read("provider");
  read("type");
  const [audiences, seconds] = [read("audiences"), read("expirationSeconds")];
  return {
    audiences: audiences === undefined ? undefined : listOf(audiences),
    expirationSeconds: seconds === undefined ? undefined : Number(seconds),
    username: read("username"),
  };
}

/** When the token ends, in milliseconds since the epoch (RFC 7519, "exp"). */
function endOf(token: string): number {
  try {
    const { exp } = parseJsonObject(Buffer.from(token.split(".")[1] ?? "", "base64url"));
    if (typeof exp === "number") return exp * 1000;
  } catch {
    // Whatever it is, the registry may take it.
  }
  return Date.now() + unknownLifeMs;
}
