import { CodedError } from "../errors.ts";
import { annotationOf, askCloud, foreignRegistry } from "./cloud-http.ts";
import type { Cloud, CloudAccount, CloudToken } from "./cloud.ts";

export interface GcpOptions {
  /** Instead of Google's; for tests. */
  readonly endpoints?: { readonly sts?: string; readonly iamCredentials?: string; readonly metadata?: string };
}

const registryPattern = /^(?:(?:[a-z0-9-]+\.)?gcr\.io|[a-z0-9-]+-docker\.pkg\.dev|docker\.s3nsregistry\.fr)$/;
const scopes = ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/userinfo.email"];
const providerKey = "gcp.auth.fluxcd.io/workload-identity-provider";
const providerPattern =
  /^projects\/\d{1,30}\/locations\/global\/workloadIdentityPools\/[^/]{1,100}\/providers\/[^/]{1,100}$/;
const emailKey = "iam.gke.io/gcp-service-account";
const emailPattern = /^[a-zA-Z0-9-]{1,100}@[a-zA-Z0-9-]{1,100}\.iam\.gserviceaccount\.com$/;

/**
 * Google Artifact Registry and Container Registry. The controller's identity is found by the SDK (application default
 * credentials: workload identity, the node's service account); a ServiceAccount's is federated: through the provider in
 * its annotation, else through the pool of the GKE cluster; and it acts as the Google service account of its annotation
 * `iam.gke.io/gcp-service-account`, where it has one.
 */
export function gcpCloud(options: GcpOptions = {}): Cloud {
  return {
    scopeOf: ({ registry }) => {
      if (!registryPattern.test(registry)) throw foreignRegistry("gcp", registry, "LOCATION-docker.pkg.dev and gcr.io");
      // One access token is good for all of Google's registries.
      return "gcp";
    },
    exchange: async ({ account, signal }) =>
      account === undefined ? await controllerToken() : await accountToken(account, options, signal),
  };
}

async function controllerToken(): Promise<CloudToken> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { GoogleAuth } = (await import("google-auth-library")).default;
  const client = await new GoogleAuth({ scopes }).getClient();
  const { token } = await client.getAccessToken();
  return tokenOf(token, client.credentials.expiry_date);
}

async function accountToken(account: CloudAccount, options: GcpOptions, signal: AbortSignal): Promise<CloudToken> {
  const email = account.annotations[emailKey] === undefined ? undefined : annotationOf(account, emailKey, emailPattern);
  const { audience, tokenAudience } = await federationOf(account, options, signal);
  const subjectToken = await account.token(tokenAudience);
  const { IdentityPoolClient } = (await import("google-auth-library")).default;
  const iam = options.endpoints?.iamCredentials ?? "https://iamcredentials.googleapis.com";
  const client = new IdentityPoolClient({
    type: "external_account",
    audience,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: options.endpoints?.sts ?? "https://sts.googleapis.com/v1/token",
    subject_token_supplier: { getSubjectToken: async () => await Promise.resolve(subjectToken) },
    scopes,
    ...(email !== undefined && {
      service_account_impersonation_url: `${iam}/v1/projects/-/serviceAccounts/${email}:generateAccessToken`,
    }),
  });
  const { token } = await client.getAccessToken();
  return tokenOf(token, client.credentials.expiry_date);
}

/** What Google's token service calls the identity, and what the Kubernetes token has to be made for. */
async function federationOf(
  account: CloudAccount,
  options: GcpOptions,
  signal: AbortSignal,
): Promise<{ audience: string; tokenAudience: string }> {
  if (account.annotations[providerKey] !== undefined) {
    const audience = `//iam.googleapis.com/${annotationOf(account, providerKey, providerPattern)}`;
    return { audience, tokenAudience: audience };
  }
  const base = `${options.endpoints?.metadata ?? "http://metadata.google.internal"}/computeMetadata/v1`;
  const read = async (path: string): Promise<string> =>
    (await askCloud({ url: `${base}/${path}`, headers: { "metadata-flavor": "Google" }, signal })).trim();
  const project = await read("project/project-id");
  const [location, name] = await Promise.all([
    read("instance/attributes/cluster-location"),
    read("instance/attributes/cluster-name"),
  ]);
  const pool = `${project}.svc.id.goog`;
  return {
    audience: `identitynamespace:${pool}:https://container.googleapis.com/v1/projects/${project}/locations/${location}/clusters/${name}`,
    tokenAudience: pool,
  };
}

function tokenOf(token: string | null | undefined, expiresAt: number | null | undefined): CloudToken {
  if (!token) throw new CodedError("CloudAuthFailed", "Google gives no access token");
  return {
    credential: { kind: "basic", username: "oauth2accesstoken", password: token },
    expiresAt: expiresAt ?? Date.now(),
  };
}
