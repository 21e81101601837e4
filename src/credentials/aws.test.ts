import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CloudServer, startCloudServer } from "../testing/cloud-server.ts";
import { awsCloud } from "./aws.ts";
import type { CloudAccount } from "./cloud.ts";

const signal = AbortSignal.timeout(20_000);
const target = (registry: string) => ({ registry, repository: "team/app" });
const privateHost = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
const expiresAt = Math.floor(Date.now() / 1000) + 43_200;
const token = Buffer.from("AWS:pass:word").toString("base64");
const expiration = new Date(Date.now() + 3_600_000).toISOString();
const role = "arn:aws:iam::123456789012:role/puller";

let server: CloudServer;
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-aws-"));
  server = await startCloudServer();
  server.route("/ecr", () => ({
    body: { authorizationData: [{ authorizationToken: token, expiresAt, proxyEndpoint: `https://${privateHost}` }] },
  }));
  server.route("/public", () => ({ body: { authorizationData: { authorizationToken: token, expiresAt } } }));
  server.route("/sts", () => ({ body: stsAnswer, headers: { "content-type": "text/xml" } }));
  // Nothing of the machine's own configuration counts.
  for (const name of Object.keys(process.env).filter((key) => key.startsWith("AWS_"))) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_CONFIG_FILE", join(dir, "config"));
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(dir, "credentials"));
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const stsAnswer = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAEXAMPLE</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken><Expiration>${expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
const cloud = () =>
  awsCloud({ endpoints: { sts: `${server.url}/sts`, ecr: `${server.url}/ecr`, ecrPublic: `${server.url}/public` } });
const account = (annotations: Record<string, string> = { "eks.amazonaws.com/role-arn": role }): CloudAccount => ({
  namespace: "apps",
  name: "puller",
  annotations,
  token: async (audience) => `jwt-for-${audience as string}`,
});
const credential = { kind: "basic", username: "AWS", password: "pass:word" };

describe("scopeOf", () => {
  it.each([
    [privateHost, "eu-central-1.amazonaws.com"],
    ["123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1.amazonaws.com"],
    ["123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1.amazonaws.com.cn"],
    ["123456789012.dkr-ecr.eu-west-1.on.aws", "eu-west-1.on.aws"],
    ["public.ecr.aws", "public.ecr.aws"],
  ])("takes %s", (registry, scope) => {
    expect(cloud().scopeOf(target(registry))).toBe(scope);
  });

  it.each([
    "ghcr.io",
    "dkr.ecr.eu-central-1.amazonaws.com",
    `${privateHost}.attacker.test`,
    `x${privateHost}`,
    "123456789012.dkr.ecr.eu.central.amazonaws.com",
    "eu.public.ecr.aws",
  ])("refuses %s", (registry) => {
    expect(() => cloud().scopeOf(target(registry))).toThrow(
      expect.objectContaining({ code: "InvalidSpec", message: expect.stringContaining(registry) }),
    );
  });
});

describe("a ServiceAccount's role", () => {
  it("is assumed with its token, and asks ECR", async () => {
    expect(await cloud().exchange({ target: target(privateHost), account: account(), signal })).toEqual({
      credential,
      expiresAt: expiresAt * 1000,
    });
    const [sts, ecr] = server.calls;
    expect(Object.fromEntries(new URLSearchParams(sts?.body))).toEqual({
      Action: "AssumeRoleWithWebIdentity",
      Version: "2011-06-15",
      RoleArn: role,
      RoleSessionName: "puller.apps.strata",
      WebIdentityToken: "jwt-for-sts.amazonaws.com",
    });
    expect(ecr?.headers["x-amz-target"]).toBe("AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
    expect(ecr?.headers["x-amz-security-token"]).toBe("session");
    expect(ecr?.headers.authorization).toMatch(/Credential=ASIAEXAMPLE\/\d+\/eu-central-1\/ecr\//);
  });

  it("asks the public registry in its own region", async () => {
    expect(await cloud().exchange({ target: target("public.ecr.aws"), account: account(), signal })).toEqual({
      credential,
      expiresAt: expiresAt * 1000,
    });
    expect(server.calls[1]?.headers.authorization).toContain("/us-east-1/ecr-public/");
  });

  it.each([
    [{}, /no annotation eks\.amazonaws\.com\/role-arn/],
    [{ "eks.amazonaws.com/role-arn": "arn:aws:s3:::bucket" }, /arn:aws:s3/],
  ])("is refused with %j", async (annotations, message) => {
    const error: unknown = await cloud()
      .exchange({ target: target(privateHost), account: account(annotations), signal })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "InvalidSpec", message: expect.stringMatching(message) });
    expect(server.calls).toEqual([]);
  });

  it("is not given: the answer's error is named, its text is not", async () => {
    server.route("/sts", () => ({
      status: 403,
      body: "<ErrorResponse><Error><Code>AccessDenied</Code><Message>jwt-for-sts.amazonaws.com</Message></Error></ErrorResponse>",
    }));
    const error: unknown = await cloud()
      .exchange({ target: target(privateHost), account: account(), signal })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      code: "CloudAuthFailed",
      message: expect.stringMatching(/answers 403 \(AccessDenied\)/),
    });
    expect((error as Error).message).not.toContain("jwt-for");
  });

  it.each(["", "<html>", stsAnswer.replace("SecretAccessKey>secret", "SecretAccessKey>")])(
    "is not given: the answer is %j",
    async (body) => {
      server.route("/sts", () => ({ body }));
      await expect(cloud().exchange({ target: target(privateHost), account: account(), signal })).rejects.toMatchObject(
        { code: "CloudAuthFailed" },
      );
    },
  );
});

describe("the controller's identity", () => {
  const exchange = async () => await cloud().exchange({ target: target(privateHost), account: undefined, signal });

  it("comes from IRSA", async () => {
    await writeFile(join(dir, "token"), "projected-jwt");
    vi.stubEnv("AWS_WEB_IDENTITY_TOKEN_FILE", join(dir, "token"));
    vi.stubEnv("AWS_ROLE_ARN", role);
    vi.stubEnv("AWS_REGION", "eu-central-1");
    vi.stubEnv("AWS_ENDPOINT_URL_STS", `${server.url}/sts`);
    expect(await exchange()).toEqual({ credential, expiresAt: expiresAt * 1000 });
    expect(new URLSearchParams(server.calls[0]?.body).get("WebIdentityToken")).toBe("projected-jwt");
  });

  it("comes from EKS Pod Identity", async () => {
    await writeFile(join(dir, "token"), "pod-identity-token");
    server.route("/v1/credentials", () => ({
      body: { AccessKeyId: "ASIAPOD", SecretAccessKey: "secret", Token: "session", Expiration: expiration },
    }));
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `${server.url}/v1/credentials`);
    vi.stubEnv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", join(dir, "token"));
    expect(await exchange()).toEqual({ credential, expiresAt: expiresAt * 1000 });
    expect(server.calls[0]?.headers.authorization).toBe("pod-identity-token");
    expect(server.calls[1]?.headers.authorization).toContain("Credential=ASIAPOD/");
  });

  it("comes from the node's role", async () => {
    server.route("/latest/api/token", () => ({ body: "imds-token" }));
    server.route("/latest/meta-data/iam/security-credentials/", ({ path }) => ({
      body: path.endsWith("/")
        ? "node-role"
        : {
            Code: "Success",
            Type: "AWS-HMAC",
            AccessKeyId: "ASIANODE",
            SecretAccessKey: "secret",
            Token: "session",
            Expiration: expiration,
            LastUpdated: new Date().toISOString(),
          },
    }));
    vi.stubEnv("AWS_EC2_METADATA_DISABLED", undefined);
    vi.stubEnv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url);
    expect(await exchange()).toEqual({ credential, expiresAt: expiresAt * 1000 });
    expect(server.calls.at(-1)?.headers.authorization).toContain("Credential=ASIANODE/");
  });

  it("is missing", async () => {
    await expect(exchange()).rejects.toThrow();
    expect(server.calls).toEqual([]);
  });
});

it.each([
  {},
  { authorizationData: [] },
  { authorizationData: [{ authorizationToken: "AAAA", expiresAt }] },
  { authorizationData: [{ authorizationToken: token }] },
])("an answer of ECR without a token is refused: %j", async (body) => {
  server.route("/ecr", () => ({ body }));
  await expect(cloud().exchange({ target: target(privateHost), account: account(), signal })).rejects.toMatchObject({
    code: "CloudAuthFailed",
  });
});
