import type { TokenCredential } from "@azure/identity";
import { CodedError } from "../errors.ts";
import { annotationOf, askCloud, foreignRegistry, parseAnswer } from "./cloud-http.ts";
import type { Cloud, CloudAccount, CloudRequest, CloudToken } from "./cloud.ts";

/** The identity that the Azure workload identity webhook gives a pod, from its environment. */
export interface AzureEnvironment {
  readonly clientId?: string | undefined;
  readonly tenantId?: string | undefined;
  readonly federatedTokenFile?: string | undefined;
  /** Default: by the registry's cloud. */
  readonly authorityHost?: string | undefined;
}

export interface AzureOptions {
  readonly environment: AzureEnvironment;
  /** Instead of `https://<registry>`; for tests. */
  readonly registryEndpoint?: string;
  /** False where the authority is not one of Microsoft's public ones. */
  readonly instanceDiscovery?: boolean;
}

const registryPattern = /^[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)*\.azurecr\.(io|cn|us|de)$/;
const authorities: Readonly<Record<string, string>> = {
  io: "https://login.microsoftonline.com",
  cn: "https://login.chinacloudapi.cn",
  us: "https://login.microsoftonline.us",
  de: "https://login.microsoftonline.de",
};
const audience = "api://AzureADTokenExchange";
const scope = "https://containerregistry.azure.net/.default";
const guid = /^[0-9a-fA-F-]{36}$/;
/** What Azure expects as the user name of a refresh token. */
const tokenUser = "00000000-0000-0000-0000-000000000000";

/**
 * Azure Container Registry. The controller's identity is its workload identity, else the managed identity of the node; a
 * ServiceAccount's is the application in its annotations `azure.workload.identity/client-id` and `tenant-id`.
 */
export function azureCloud(options: AzureOptions): Cloud {
  return {
    scopeOf: ({ registry }) => {
      authorityOf(registry);
      return registry;
    },
    exchange: async ({ target, account, signal }) => {
      const authorityHost = options.environment.authorityHost ?? authorityOf(target.registry);
      const common = { authorityHost, disableInstanceDiscovery: options.instanceDiscovery === false };
      const identity =
        account === undefined
          ? await controllerIdentity(options.environment, common)
          : await accountIdentity(account, common);
      const access = await identity.getToken(scope, { abortSignal: signal });
      if (access === null)
        throw new CodedError("CloudAuthFailed", "Microsoft Entra ID gives no token for container registries");
      return await exchangeForRefreshToken(target.registry, access.token, options, signal);
    },
  };
}

function authorityOf(registry: string): string {
  const [, cloud] = registryPattern.exec(registry) ?? [];
  const authority = cloud === undefined ? undefined : authorities[cloud];
  if (authority === undefined) throw foreignRegistry("azure", registry, "NAME.azurecr.io (.cn, .us)");
  return authority;
}

interface Common {
  readonly authorityHost: string;
  readonly disableInstanceDiscovery: boolean;
}

async function controllerIdentity(
  { clientId, tenantId, federatedTokenFile }: AzureEnvironment,
  common: Common,
): Promise<TokenCredential> {
  const { ManagedIdentityCredential, WorkloadIdentityCredential } = await import("@azure/identity");
  if (clientId && tenantId && federatedTokenFile)
    return new WorkloadIdentityCredential({ ...common, clientId, tenantId, tokenFilePath: federatedTokenFile });
  return clientId ? new ManagedIdentityCredential({ clientId }) : new ManagedIdentityCredential();
}

async function accountIdentity(account: CloudAccount, common: Common): Promise<TokenCredential> {
  const clientId = annotationOf(account, "azure.workload.identity/client-id", guid);
  const tenantId = annotationOf(account, "azure.workload.identity/tenant-id", guid);
  const { ClientAssertionCredential } = await import("@azure/identity");
  return new ClientAssertionCredential(tenantId, clientId, async () => await account.token(audience), common);
}

/** ACR's `/oauth2/exchange`: an Entra ID access token for a refresh token of the registry. */
async function exchangeForRefreshToken(
  registry: string,
  accessToken: string,
  options: AzureOptions,
  signal: CloudRequest["signal"],
): Promise<CloudToken> {
  const url = `${options.registryEndpoint ?? `https://${registry}`}/oauth2/exchange`;
  const form = { grant_type: "access_token", service: registry, access_token: accessToken };
  const token = parseAnswer(await askCloud({ url, form, signal }), `${registry}/oauth2/exchange`)["refresh_token"];
  if (typeof token !== "string" || token === "")
    throw new CodedError("CloudAuthFailed", `${registry}/oauth2/exchange answers without a refresh token`);
  return { credential: { kind: "basic", username: tokenUser, password: token }, expiresAt: expiryOf(token, registry) };
}

/** The `exp` of a JWT. Nothing is believed by it: it only says when to ask again. */
function expiryOf(token: string, registry: string): number {
  const claims = parseAnswer(
    Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"),
    `the refresh token of ${registry}`,
  );
  const expiry = claims["exp"];
  if (typeof expiry !== "number")
    throw new CodedError("CloudAuthFailed", `the refresh token of ${registry} states no expiry`);
  return expiry * 1000;
}
