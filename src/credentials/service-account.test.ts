import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { CloudCredentials, type Cloud, type WantedToken } from "./cloud.ts";
import type { SecretSource, ServiceAccount } from "./secret-data.ts";
import { accountCredentials, serviceAccountTokens } from "./service-account.ts";

const { signal } = new AbortController();
const target = { registry: "zot.example:5000", repository: "team/app" };
const key = (name: string): string => `credential.auth.fluxcd.io/${name}`;
const annotated = (entries: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(entries).map(([name, value]) => [key(name), value]));
const unused: Cloud = { scopeOf: () => "", exchange: () => Promise.reject(new Error("not asked")) };
const jwt = (claims: object): string =>
  ["{}", JSON.stringify(claims), "signature"].map((part) => Buffer.from(part).toString("base64url")).join(".");

interface Given extends ServiceAccount {
  readonly issue?: () => Promise<string>;
}

function setUp({ issue = () => Promise.resolve("a-token"), ...account }: Given) {
  const wanted: WantedToken[] = [];
  const config = { auths: { "zot.example:5000": { username: "pull", password: "secret" } } };
  const data = { ".dockerconfigjson": Buffer.from(JSON.stringify(config)).toString("base64") };
  const source: SecretSource = {
    namespace: "apps",
    secrets: () => Promise.resolve({ type: "kubernetes.io/dockerconfigjson", data }),
    serviceAccounts: () => Promise.resolve({ ...account, metadata: { uid: "1", ...account.metadata } }),
  };
  const clouds = { aws: unused, azure: unused, gcp: unused, generic: serviceAccountTokens() };
  const all = new CloudCredentials({ clouds, timeoutMs: 1000, cacheEntries: 10 });
  const identity = all.ofServiceAccount("generic", source, "puller", async (_, __, token) => {
    wanted.push(token);
    return await issue();
  });
  return { wanted, provider: accountCredentials(source, "puller", { identity }) };
}

const pullSecret = { kind: "basic", username: "pull", password: "secret" };
const bearer = { kind: "bearer", token: "a-token" };
const imagePullSecrets = [{ name: "regcred" }];

describe("an account", () => {
  it.each<[string, Given, unknown, WantedToken[]]>([
    ["without anything is nobody", {}, undefined, []],
    ["with pull secrets shows them", { imagePullSecrets }, pullSecret, []],
    [
      "with pull secrets shows them, whatever its token would be like",
      { imagePullSecrets, metadata: { annotations: annotated({ username: "robot" }) } },
      pullSecret,
      [],
    ],
    [
      "with pull secrets shows itself where it says so",
      { imagePullSecrets, metadata: { annotations: annotated({ provider: "kubernetes" }) } },
      bearer,
      [{ audiences: ["https://zot.example:5000"] }],
    ],
    [
      "shows a token for the audiences and the time that it names",
      { metadata: { annotations: annotated({ audiences: "zot, harbor\nother", "expiration-seconds": "3600" }) } },
      bearer,
      [{ audiences: ["zot", "harbor", "other"], expirationSeconds: 3600 }],
    ],
    [
      "shows its token as a password",
      { metadata: { annotations: annotated({ provider: "kubernetes", type: "jwt", username: "robot$ci" }) } },
      { kind: "basic", username: "robot$ci", password: "a-token" },
      [{ audiences: ["https://zot.example:5000"] }],
    ],
    [
      "of other annotations is nobody",
      { metadata: { annotations: { [key("role")]: "r", other: "o" } } },
      undefined,
      [],
    ],
  ])("%s", async (_, account, credential, tokens) => {
    const { provider, wanted } = setUp(account);
    expect(await provider.resolve(target, signal)).toEqual(credential);
    expect(wanted).toEqual(tokens);
    const isAllowedElsewhere = await provider.knows!({ ...target, registry: "elsewhere.example" }, signal);
    expect(isAllowedElsewhere).toBe(false);
  });

  it.each([
    [{ provider: "spiffe" }, 'provider is "spiffe"; only kubernetes'],
    [{ provider: "kubernetes", type: "x509" }, 'type is "x509"; only jwt'],
    [{ audiences: " , " }, "audiences names 0 audiences"],
    [{ audiences: Array.from({ length: 17 }, (_, at) => `a${at}`).join() }, "audiences names 17 audiences"],
    [{ "expiration-seconds": "soon" }, 'expiration-seconds is "soon"; write 600 to 86400'],
    [{ "expiration-seconds": "599" }, "write 600 to 86400 seconds"],
    [{ "expiration-seconds": "1e9" }, "write 600 to 86400 seconds"],
    [{ username: "a:b" }, "username is empty, or holds a colon"],
    [{ username: "" }, "username is empty"],
  ])("that says %j is told so", async (entries, message) => {
    const { provider, wanted } = setUp({ metadata: { annotations: annotated(entries) } });
    const refusal = await provider.resolve(target, signal).catch((error: unknown) => error as CodedError);
    expect(refusal).toMatchObject({ code: "CloudAuthFailed" });
    expect((refusal as CodedError).message).toContain(
      "ServiceAccount apps/puller: annotation credential.auth.fluxcd.io/",
    );
    expect((refusal as CodedError).message).toContain(message);
    expect(wanted).toEqual([]);
  });

  it("keeps its token until shortly before it ends", async () => {
    const now = Date.now() / 1000;
    let made = 0;
    const issue = (): Promise<string> => Promise.resolve(jwt({ exp: now + (++made === 1 ? -1 : 3600), made }));
    const { provider, wanted } = setUp({ metadata: { annotations: annotated({ provider: "kubernetes" }) }, issue });
    const tokens = [];
    for (let turn = 0; turn < 4; turn++) tokens.push(await provider.resolve(target, signal));
    expect(wanted).toHaveLength(2);
    expect(new Set(tokens.map((token) => JSON.stringify(token))).size).toBe(2);
    await provider.resolve({ ...target, registry: "another.example" }, signal);
    expect(wanted.at(-1)).toEqual({ audiences: ["https://another.example"] });
  });

  it("cannot be shown where the controller may make no token, and says what to install", async () => {
    const issue = (): Promise<string> => Promise.reject(new CodedError("AccessDenied", "forbidden"));
    const { provider } = setUp({ metadata: { annotations: annotated({ provider: "kubernetes" }) }, issue });
    await expect(provider.resolve(target, signal)).rejects.toMatchObject({
      code: "CloudAuthFailed",
      message: expect.stringContaining("install the component object-level-identity") as string,
    });
  });
});
