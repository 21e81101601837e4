import { CodedError } from "../errors.ts";
import { annotationOf, askCloud, foreignRegistry } from "./cloud-http.ts";
import type { Cloud, CloudAccount, CloudRequest, CloudToken } from "./cloud.ts";

export interface AwsOptions {
  /** Instead of the regional endpoints; for tests and private endpoints. */
  readonly endpoints?: { readonly sts?: string; readonly ecr?: string; readonly ecrPublic?: string };
}

interface Registry {
  readonly public: boolean;
  readonly region: string;
  /** `amazonaws.com`, `amazonaws.com.cn`, … */
  readonly domain: string;
}

interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
}

const publicRegistry = "public.ecr.aws";
/** Account, region and partition; the same hosts as Amazon's credential helper. */
const privateRegistry =
  /^\d{12}\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|amazonaws\.eu|on\.aws|on\.amazonwebservices\.com\.cn|sc2s\.sgov\.gov|c2s\.ic\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)$/;
/** Dual-stack registries have a domain of their own, the services of their partition have not. */
const serviceDomains: Readonly<Record<string, string>> = {
  "on.aws": "amazonaws.com",
  "on.amazonwebservices.com.cn": "amazonaws.com.cn",
};
const roleArn = /^arn:aws[\w-]*:iam::\d{1,30}:role\/.{1,200}$/;
const audience = "sts.amazonaws.com";

/**
 * Amazon ECR, private and public. The controller's identity is found by the SDK: IRSA, EKS Pod Identity, the node's role;
 * a ServiceAccount's is the role in its annotation `eks.amazonaws.com/role-arn`.
 */
export function awsCloud(options: AwsOptions = {}): Cloud {
  return {
    scopeOf: ({ registry }) => {
      const { public: isPublic, region, domain } = parseRegistry(registry);
      return isPublic ? publicRegistry : `${region}.${domain}`;
    },
    exchange: async ({ target, account, signal }) => {
      const registry = parseRegistry(target.registry);
      const credentials = account && (await assumeRole(account, registry, options, signal));
      return registry.public
        ? await publicToken(registry, credentials, options, signal)
        : await privateToken(registry, credentials, options, signal);
    },
  };
}

function parseRegistry(registry: string): Registry {
  // Amazon answers for its public registry in this region alone.
  if (registry === publicRegistry) return { public: true, region: "us-east-1", domain: "amazonaws.com" };
  const [, region, domain] = privateRegistry.exec(registry) ?? [];
  if (region === undefined || domain === undefined)
    throw foreignRegistry("aws", registry, `ACCOUNT.dkr.ecr.REGION.amazonaws.com and ${publicRegistry}`);
  return { public: false, region, domain };
}

/** STS AssumeRoleWithWebIdentity, which needs no signature. */
async function assumeRole(
  account: CloudAccount,
  { region, domain }: Registry,
  { endpoints }: AwsOptions,
  signal: CloudRequest["signal"],
): Promise<AwsCredentials> {
  const role = annotationOf(account, "eks.amazonaws.com/role-arn", roleArn);
  const url = endpoints?.sts ?? `https://sts.${region}.${serviceDomains[domain] ?? domain}/`;
  const form = {
    Action: "AssumeRoleWithWebIdentity",
    Version: "2011-06-15",
    RoleArn: role,
    // At most 64 of these characters.
    RoleSessionName: `${account.name}.${account.namespace}.strata`.replace(/[^\w+=,.@-]/g, "-").slice(0, 64),
    WebIdentityToken: await account.token(audience),
  };
  const answer = await askCloud({ url, form, signal });
  const [accessKeyId, secretAccessKey, sessionToken] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(
    (name) => new RegExp(`<${name}>([^<]+)</${name}>`).exec(answer)?.[1],
  );
  if (accessKeyId && secretAccessKey && sessionToken) return { accessKeyId, secretAccessKey, sessionToken };
  throw new CodedError(
    "CloudAuthFailed",
    `${new URL(url).host} answers AssumeRoleWithWebIdentity for ${role} without credentials`,
  );
}

async function privateToken(
  { region }: Registry,
  credentials: AwsCredentials | undefined,
  { endpoints }: AwsOptions,
  signal: AbortSignal,
): Promise<CloudToken> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { ECRClient, GetAuthorizationTokenCommand } = (await import("@aws-sdk/client-ecr")).default;
  const client = new ECRClient({
    region,
    ...(credentials && { credentials }),
    ...(endpoints?.ecr && { endpoint: endpoints.ecr }),
  });
  try {
    const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}), { abortSignal: signal });
    return tokenOf(authorizationData?.[0]);
  } finally {
    client.destroy();
  }
}

async function publicToken(
  { region }: Registry,
  credentials: AwsCredentials | undefined,
  { endpoints }: AwsOptions,
  signal: AbortSignal,
): Promise<CloudToken> {
  const { ECRPUBLICClient, GetAuthorizationTokenCommand } = (await import("@aws-sdk/client-ecr-public")).default;
  const client = new ECRPUBLICClient({
    region,
    ...(credentials && { credentials }),
    ...(endpoints?.ecrPublic && { endpoint: endpoints.ecrPublic }),
  });
  try {
    const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}), { abortSignal: signal });
    return tokenOf(authorizationData);
  } finally {
    client.destroy();
  }
}

function tokenOf(
  data: { readonly authorizationToken?: string | undefined; readonly expiresAt?: Date | undefined } | undefined,
): CloudToken {
  const decoded = Buffer.from(data?.authorizationToken ?? "", "base64").toString("utf8");
  const colon = decoded.indexOf(":");
  if (colon < 0 || data?.expiresAt === undefined)
    throw new CodedError("CloudAuthFailed", "ECR answers GetAuthorizationToken without a token");
  return {
    credential: { kind: "basic", username: decoded.slice(0, colon), password: decoded.slice(colon + 1) },
    expiresAt: data.expiresAt.getTime(),
  };
}
