import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type CloudServer, startCloudServer } from "../testing/cloud-server.ts";
import type { CloudAccount } from "./cloud.ts";
import { gcpCloud } from "./gcp.ts";

const signal = AbortSignal.timeout(20_000);
const target = (registry: string) => ({ registry, repository: "project/app" });
const host = "europe-docker.pkg.dev";
const provider = "projects/123/locations/global/workloadIdentityPools/pool/providers/cluster";
const email = "puller@project.iam.gserviceaccount.com";

let server: CloudServer;
beforeEach(async () => {
  server = await startCloudServer();
  server.route("/sts", () => ({
    body: {
      access_token: "federated",
      issued_token_type: "urn:ietf:params:oauth:token-type:access_token",
      token_type: "Bearer",
      expires_in: 3600,
    },
  }));
  server.route("/v1/projects/-/serviceAccounts/", () => ({
    body: { accessToken: "impersonated", expireTime: new Date(Date.now() + 1_800_000).toISOString() },
  }));
  server.route("/computeMetadata/v1/project/project-id", () => ({ body: "project\n", headers: flavor }));
  server.route("/computeMetadata/v1/instance/attributes/cluster-location", () => ({
    body: "europe-west1",
    headers: flavor,
  }));
  server.route("/computeMetadata/v1/instance/attributes/cluster-name", () => ({ body: "main", headers: flavor }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
});

const flavor = { "metadata-flavor": "Google" };
const cloud = () =>
  gcpCloud({ endpoints: { sts: `${server.url}/sts`, iamCredentials: server.url, metadata: server.url } });
const account = (annotations: Record<string, string>): CloudAccount => ({
  namespace: "apps",
  name: "puller",
  annotations,
  token: async (audience) => `jwt for ${audience as string}`,
});
const exchange = async (annotations: Record<string, string>) =>
  await cloud().exchange({ target: target(host), account: account(annotations), signal });
const basic = (password: string) => ({ kind: "basic", username: "oauth2accesstoken", password });
const inMinutes = (time: number): number => Math.round((time - Date.now()) / 60_000);

describe("scopeOf", () => {
  it.each(["gcr.io", "eu.gcr.io", host, "us-central1-docker.pkg.dev", "docker.s3nsregistry.fr"])(
    "takes %s",
    (registry) => {
      expect(cloud().scopeOf(target(registry))).toBe("gcp");
    },
  );

  it.each([
    "ghcr.io",
    "gcr.io.attacker.test",
    "a.b.gcr.io",
    "xgcr.io",
    "docker.pkg.dev",
    "a.b-docker.pkg.dev",
    `${host}:5000`,
  ])("refuses %s", (registry) => {
    expect(() => cloud().scopeOf(target(registry))).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  });
});

describe("a ServiceAccount's identity", () => {
  it("is federated through the provider of its annotation", async () => {
    const { credential, expiresAt } = await exchange({ "gcp.auth.fluxcd.io/workload-identity-provider": provider });
    expect(credential).toEqual(basic("federated"));
    expect(inMinutes(expiresAt)).toBe(60);
    const form = new URLSearchParams(server.calls[0]?.body);
    expect(form.get("audience")).toBe(`//iam.googleapis.com/${provider}`);
    expect(form.get("subject_token")).toBe(`jwt for //iam.googleapis.com/${provider}`);
    expect(form.get("subject_token_type")).toBe("urn:ietf:params:oauth:token-type:jwt");
    expect(form.get("scope")).toContain("cloud-platform");
  });

  it("acts as the Google service account of its annotation", async () => {
    const { credential, expiresAt } = await exchange({
      "gcp.auth.fluxcd.io/workload-identity-provider": provider,
      "iam.gke.io/gcp-service-account": email,
    });
    expect(credential).toEqual(basic("impersonated"));
    expect(inMinutes(expiresAt)).toBe(30);
    expect(server.calls[1]?.path).toBe(`/v1/projects/-/serviceAccounts/${email}:generateAccessToken`);
    expect(server.calls[1]?.headers.authorization).toBe("Bearer federated");
  });

  it("is that of the GKE cluster without annotations", async () => {
    expect((await exchange({})).credential).toEqual(basic("federated"));
    const form = new URLSearchParams(server.calls.at(-1)?.body);
    expect(form.get("audience")).toBe(
      "identitynamespace:project.svc.id.goog:https://container.googleapis.com/v1/projects/project/locations/europe-west1/clusters/main",
    );
    expect(form.get("subject_token")).toBe("jwt for project.svc.id.goog");
    expect(server.calls[0]?.headers["metadata-flavor"]).toBe("Google");
  });

  it.each<Record<string, string>>([
    { "gcp.auth.fluxcd.io/workload-identity-provider": "projects/x/providers/y" },
    { "iam.gke.io/gcp-service-account": "puller@attacker.test" },
  ])("is refused with %j", async (annotations) => {
    await expect(exchange(annotations)).rejects.toMatchObject({
      code: "InvalidSpec",
      message: expect.stringContaining("apps/puller"),
    });
    expect(server.calls).toEqual([]);
  });

  it("is not given outside of GKE without a provider", async () => {
    server.route("/computeMetadata", () => ({ status: 404, body: "" }));
    server.route("/computeMetadata/v1/project/project-id", () => ({ status: 404, body: "" }));
    await expect(exchange({})).rejects.toMatchObject({
      code: "CloudAuthFailed",
      message: expect.stringContaining("answers 404"),
    });
  });

  it("is not given where Google refuses", async () => {
    server.route("/sts", () => ({
      status: 400,
      body: { error: "invalid_grant", error_description: "The audience is wrong" },
    }));
    await expect(exchange({ "gcp.auth.fluxcd.io/workload-identity-provider": provider })).rejects.toThrow(
      /invalid_grant/,
    );
  });
});

describe("the controller's identity", () => {
  it("comes from the metadata service", async () => {
    server.route("/computeMetadata/v1/instance/service-accounts/default/token", () => ({
      body: { access_token: "node", expires_in: 1200, token_type: "Bearer" },
      headers: flavor,
    }));
    server.route("/computeMetadata/v1/instance", () => ({ body: "{}", headers: flavor }));
    server.route("/computeMetadata/v1/universe/universe-domain", () => ({ body: "googleapis.com", headers: flavor }));
    vi.stubEnv("GCE_METADATA_HOST", new URL(server.url).host);
    vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", undefined);
    vi.stubEnv("CLOUDSDK_CONFIG", "/nowhere");
    vi.stubEnv("HOME", "/nowhere");
    const { credential, expiresAt } = await cloud().exchange({ target: target(host), account: undefined, signal });
    expect(credential).toEqual(basic("node"));
    expect(inMinutes(expiresAt)).toBe(20);
  });
});
