import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type CloudServer, startCloudServer, unsignedJwt } from "../testing/cloud-server.ts";
import { testCa } from "../testing/registry/registry.ts";
import { azureCloud, type AzureEnvironment } from "./azure.ts";
import type { CloudAccount } from "./cloud.ts";

const signal = AbortSignal.timeout(20_000);
const target = (registry: string) => ({ registry, repository: "team/app" });
const host = "mine.azurecr.io";
const clientId = "11111111-1111-1111-1111-111111111111";
const tenantId = "22222222-2222-2222-2222-222222222222";
const expiry = Math.floor(Date.now() / 1000) + 10_800;
const refreshToken = unsignedJwt({ exp: expiry });

let server: CloudServer;
let dir: string;
const systemCas = getCACertificates("default");
beforeAll(() => setDefaultCACertificates([...systemCas, testCa()]));
afterAll(() => setDefaultCACertificates(systemCas));
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-azure-"));
  server = await startCloudServer({ tls: true });
  server.route(`/${tenantId}/v2.0/.well-known/openid-configuration`, () => ({
    body: {
      issuer: `${server.url}/${tenantId}/v2.0`,
      token_endpoint: `${server.url}/${tenantId}/oauth2/v2.0/token`,
      authorization_endpoint: `${server.url}/${tenantId}/authorize`,
      jwks_uri: `${server.url}/keys`,
    },
  }));
  server.route(`/${tenantId}/oauth2/v2.0/token`, () => ({
    body: { token_type: "Bearer", expires_in: 3600, ext_expires_in: 3600, access_token: "entra" },
  }));
  server.route("/acr/oauth2/exchange", () => ({ body: { refresh_token: refreshToken } }));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

const cloud = (environment: AzureEnvironment = {}) =>
  azureCloud({
    environment: { authorityHost: server.url, ...environment },
    registryEndpoint: `${server.url}/acr`,
    instanceDiscovery: false,
  });
const annotations = { "azure.workload.identity/client-id": clientId, "azure.workload.identity/tenant-id": tenantId };
const account = (found: Record<string, string> = annotations): CloudAccount => ({
  namespace: "apps",
  name: "puller",
  annotations: found,
  token: async (audience) => `jwt for ${audience as string}`,
});
const result = {
  credential: { kind: "basic", username: "00000000-0000-0000-0000-000000000000", password: refreshToken },
  expiresAt: expiry * 1000,
};
const formOf = (suffix: string): URLSearchParams =>
  new URLSearchParams(server.calls.find(({ path }) => new URL(path, server.url).pathname.endsWith(suffix))?.body);

describe("scopeOf", () => {
  it.each([host, "mine.azurecr.cn", "mine.azurecr.us", "mine-hash.westeurope.azurecr.io"])("takes %s", (registry) => {
    expect(cloud().scopeOf(target(registry))).toBe(registry);
  });

  it.each([
    "ghcr.io",
    "azurecr.io",
    "mine.azurecr.io.attacker.test",
    "mine.azurecr.com",
    "attacker.test/x.azurecr.io",
    `${host}:443`,
  ])("refuses %s", (registry) => {
    expect(() => cloud().scopeOf(target(registry))).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  });
});

describe("a ServiceAccount's application", () => {
  it("is shown its token, and its access token is exchanged for one of the registry", async () => {
    expect(await cloud().exchange({ target: target(host), account: account(), signal })).toEqual(result);
    const token = formOf("/oauth2/v2.0/token");
    expect(token.get("client_id")).toBe(clientId);
    expect(token.get("client_assertion")).toBe("jwt for api://AzureADTokenExchange");
    expect(token.get("scope")).toContain("https://containerregistry.azure.net/.default");
    expect(Object.fromEntries(formOf("/oauth2/exchange"))).toEqual({
      grant_type: "access_token",
      service: host,
      access_token: "entra",
    });
  });

  it.each([
    [{}, "client-id"],
    [{ "azure.workload.identity/client-id": clientId }, "tenant-id"],
    [{ ...annotations, "azure.workload.identity/tenant-id": "../../evil" }, "tenant-id"],
  ])("is refused with %j", async (found, message) => {
    await expect(cloud().exchange({ target: target(host), account: account(found), signal })).rejects.toMatchObject({
      code: "InvalidSpec",
      message: expect.stringContaining(message),
    });
    expect(server.calls).toEqual([]);
  });

  it("is not known to Entra ID", async () => {
    server.route(`/${tenantId}/oauth2/v2.0/token`, () => ({
      status: 401,
      body: {
        error: "invalid_client",
        error_description: "AADSTS700213: No matching federated identity record found",
        error_codes: [700213],
      },
    }));
    await expect(cloud().exchange({ target: target(host), account: account(), signal })).rejects.toThrow(
      /AADSTS700213/,
    );
  });

  it.each<[string, { status?: number; headers?: Record<string, string>; body: unknown }, RegExp]>([
    [
      "refuses",
      { status: 401, body: { errors: [{ code: "UNAUTHORIZED", message: "entra" }] } },
      /answers 401 \(UNAUTHORIZED\)/,
    ],
    ["answers with a page", { body: "<html>" }, /is not JSON/],
    ["answers without a token", { body: {} }, /without a refresh token/],
    ["answers with a token that is none", { body: { refresh_token: "hunter2" } }, /is not JSON/],
    ["answers with a token without an expiry", { body: { refresh_token: unsignedJwt({}) } }, /no expiry/],
    ["answers with too much", { body: "x".repeat(300_000) }, /more than/],
    [
      "leads elsewhere",
      { status: 307, headers: { location: "https://attacker.test/" }, body: "" },
      /cannot be reached/,
    ],
  ])("gets no credentials where the registry %s", async (_, answer, message) => {
    server.route("/acr/oauth2/exchange", () => answer);
    const error: unknown = await cloud()
      .exchange({ target: target(host), account: account(), signal })
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "CloudAuthFailed", message: expect.stringMatching(message) });
    expect((error as Error).message).not.toMatch(/entra|hunter2/);
  });
});

describe("the controller's identity", () => {
  it("is its workload identity", async () => {
    const federatedTokenFile = join(dir, "token");
    await writeFile(federatedTokenFile, "projected-jwt");
    expect(
      await cloud({ clientId, tenantId, federatedTokenFile }).exchange({
        target: target(host),
        account: undefined,
        signal,
      }),
    ).toEqual(result);
    expect(formOf("/oauth2/v2.0/token").get("client_assertion")).toBe("projected-jwt");
  });

  it("is the managed identity of the node", async () => {
    const imds = await startCloudServer();
    imds.route("/metadata/identity/oauth2/token", () => ({
      body: {
        access_token: "entra",
        expires_on: String(expiry),
        expires_in: "3600",
        resource: "https://containerregistry.azure.net",
        token_type: "Bearer",
      },
    }));
    vi.stubEnv("AZURE_POD_IDENTITY_AUTHORITY_HOST", imds.url);
    expect(await cloud({ clientId }).exchange({ target: target(host), account: undefined, signal })).toEqual(result);
    const call = new URL(imds.calls.at(-1)?.path ?? "", imds.url);
    expect(call.searchParams.get("client_id")).toBe(clientId);
    expect(call.searchParams.get("resource")).toBe("https://containerregistry.azure.net");
    await imds[Symbol.asyncDispose]();
  });
});
