import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { bundle } from "./bundle.ts";
import { startCloudServer } from "./cloud-server.ts";
import { TestSigstore } from "./signatures/sigstore.ts";
import { TestTufRepository } from "./signatures/tuf-repository.ts";

const source = (path: string): string => JSON.stringify(new URL(`../${path}`, import.meta.url).pathname);

/** Uses every package that is loaded only when it is needed, and says what became of it. */
const entry = (server: string, mirror: string, anchor: Buffer): string => `
  import { awsCloud } from ${source("credentials/aws.ts")};
  import { gcpCloud } from ${source("credentials/gcp.ts")};
  import { azureCloud } from ${source("credentials/azure.ts")};
  import { embeddedRoot, TrustedRoots } from ${source("verify/cosign/trusted-root.ts")};
  import { PublicRoot } from ${source("tuf/public-root.ts")};
  import { tufDefaults } from ${source("config.ts")};
  import { Agent } from "undici";
  const annotations = {
    "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/x",
    "gcp.auth.fluxcd.io/workload-identity-provider": "projects/1/locations/global/workloadIdentityPools/p/providers/q",
  };
  const account = { namespace: "apps", name: "puller", annotations, token: async () => "jwt" };
  const signal = AbortSignal.timeout(10_000);
  const ask = async (cloud, registry, who) => (await cloud.exchange({ target: { registry, repository: "a" }, account: who, signal })).credential.password;
  const endpoints = { sts: "${server}/sts", ecr: "${server}/ecr", ecrPublic: "${server}/public" };
  const aws = awsCloud({ endpoints });
  const root = await new TrustedRoots().get(await embeddedRoot(), "certificates");
  const agent = new Agent();
  const kept = new PublicRoot({
    mirror: "${mirror}", anchor: Buffer.from("${anchor.toString("base64")}", "base64"), directory: process.env.HOME, limits: tufDefaults,
    userAgent: "x", connect: () => ({ dispatcher: () => agent, destroy: () => agent.destroy() }), now: Date.now, report: () => {},
  }, signal);
  console.log(JSON.stringify({
    tuf: await kept.current(signal),
    ecr: await ask(aws, "123456789012.dkr.ecr.eu-central-1.amazonaws.com", account),
    ecrPublic: await ask(aws, "public.ecr.aws", account),
    gcp: await ask(gcpCloud({ endpoints: { sts: "${server}/gcp" } }), "gcr.io", account),
    azure: await ask(azureCloud({ environment: {}, registryEndpoint: "${server}" }), "x.azurecr.io", undefined),
    sigstore: root.certificateAuthorities.length > 0 && root.tlogs.length > 0 && root.ctlogs.length > 0,
  }));
`;

it.each([true, false])("packages that are loaded when needed work from a bundle (split: %j)", async (splitting) => {
  const dir = await mkdtemp(join(tmpdir(), "strata-bundle-"));
  await using server = await startCloudServer();
  const trustedRoot = new TestSigstore().trustedRoot();
  const repository = new TestTufRepository();
  repository.publish({ trustedRoot });
  const mirror = await repository.serve();
  const token = Buffer.from("AWS:ecr").toString("base64");
  const expiresAt = Math.floor(Date.now() / 1000) + 3600;
  const credentials = "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>";
  server.route("/sts", () => ({ body: credentials }));
  server.route("/ecr", () => ({ body: { authorizationData: [{ authorizationToken: token, expiresAt }] } }));
  server.route("/public", () => ({ body: { authorizationData: { authorizationToken: token, expiresAt } } }));
  server.route("/gcp", () => ({ body: { access_token: "google", token_type: "Bearer", expires_in: 3600 } }));
  server.route("/metadata/identity/oauth2/token", () => ({
    body: { access_token: "entra", expires_on: String(expiresAt), resource: "r", token_type: "Bearer" },
  }));
  server.route("/oauth2/exchange", () => ({
    body: { refresh_token: `a.${Buffer.from(JSON.stringify({ exp: expiresAt })).toString("base64url")}.` },
  }));
  try {
    const program = await bundle(entry(server.url, mirror.url, repository.anchor), dir, { splitting });
    const env = { PATH: "", HOME: dir, AZURE_POD_IDENTITY_AUTHORITY_HOST: server.url };
    const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: dir, env, timeout: 14_000 });
    expect(JSON.parse(stdout)).toEqual({
      tuf: trustedRoot,
      ecr: "ecr",
      ecrPublic: "ecr",
      gcp: "google",
      azure: expect.stringMatching(/^a\./),
      sigstore: true,
    });
  } finally {
    await mirror.close();
    await rm(dir, { recursive: true, force: true });
  }
});
