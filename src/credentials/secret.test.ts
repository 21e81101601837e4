import { describe, expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import type { CredentialProvider } from "./provider.ts";
import { objectCredentials, readPullSecrets } from "./secret.ts";
import type { Secret, SecretSource, ServiceAccount } from "./secret-data.ts";

const { signal } = new AbortController();
const target = { registry: "r.example", repository: "team/app" };
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function pullSecret(user: string, key = "r.example"): Secret {
  const config = { auths: { [key]: { auth: base64(`${user}:p`) } } };
  return { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": base64(JSON.stringify(config)) } };
}

function source(secrets: Record<string, Secret>, accounts: Record<string, ServiceAccount> = {}): SecretSource {
  const reader =
    <T>(objects: Record<string, T>) =>
    async (namespace: string, name: string): Promise<T> => {
      const found = namespace === "apps" ? objects[name] : undefined;
      if (found === undefined) throw new CodedError("NotFound", `${namespace}/${name}`);
      return found;
    };
  return { namespace: "apps", secrets: reader(secrets), serviceAccounts: reader(accounts) };
}

const user = (username: string) => ({ kind: "basic", username, password: "p" });
const cloud: CredentialProvider = { resolve: async () => ({ kind: "basic", username: "cloud", password: "p" }) };

describe("objectCredentials", () => {
  it("uses the Secret of secretRef", async () => {
    const provider = objectCredentials(
      source({ regcred: pullSecret("u") }),
      { secretRef: { name: "regcred" } },
      undefined,
    );
    expect(await provider.resolve(target, signal)).toEqual(user("u"));
    expect(await provider.resolve({ registry: "other.example", repository: "a" }, signal)).toBeUndefined();
  });

  it("uses the imagePullSecrets of the service account", async () => {
    const objects = source(
      { a: pullSecret("a"), b: pullSecret("b", "r.example/team") },
      { puller: { imagePullSecrets: [{ name: "a" }, { name: "b" }] } },
    );
    expect(
      await objectCredentials(objects, { serviceAccountName: "puller" }, undefined).resolve(target, signal),
    ).toEqual(user("b"));
  });

  it("prefers secretRef over the service account where both match as well", async () => {
    const objects = source(
      { a: pullSecret("a"), own: pullSecret("own") },
      { puller: { imagePullSecrets: [{ name: "a" }] } },
    );
    expect(
      await objectCredentials(objects, { secretRef: { name: "own" }, serviceAccountName: "puller" }, undefined).resolve(
        target,
        signal,
      ),
    ).toEqual(user("own"));
  });

  it("reads .dockercfg, and stringData of a manifest", async () => {
    const older: Secret = {
      type: "kubernetes.io/dockercfg",
      stringData: { ".dockercfg": JSON.stringify({ "r.example": { username: "old", password: "p" } }) },
    };
    expect(
      await objectCredentials(source({ older }), { secretRef: { name: "older" } }, undefined).resolve(target, signal),
    ).toEqual(user("old"));
  });

  it("is anonymous where nothing is named", async () => {
    expect(await objectCredentials(source({}), {}, undefined).resolve(target, signal)).toBeUndefined();
  });

  it("asks the cloud only where no pull secret is named", async () => {
    const accounts = { plain: {}, puller: { imagePullSecrets: [{ name: "a" }, {}] } };
    const objects = source({ a: pullSecret("a") }, accounts);
    expect(await objectCredentials(objects, { serviceAccountName: "plain" }, cloud).resolve(target, signal)).toEqual(
      user("cloud"),
    );
    expect(await objectCredentials(objects, { serviceAccountName: "puller" }, cloud).resolve(target, signal)).toEqual(
      user("a"),
    );
    expect(
      await objectCredentials(objects, { secretRef: { name: "a" } }, cloud).resolve(
        { registry: "x.example", repository: "a" },
        signal,
      ),
    ).toBeUndefined();
  });

  it("sees a rotated Secret at once", async () => {
    const secrets = { regcred: pullSecret("before") };
    const provider = objectCredentials(source(secrets), { secretRef: { name: "regcred" } }, undefined);
    expect(await provider.resolve(target, signal)).toEqual(user("before"));
    secrets.regcred = pullSecret("after");
    expect(await provider.resolve(target, signal)).toEqual(user("after"));
  });
});

describe("readPullSecrets", () => {
  const secrets: Record<string, Secret> = {
    opaque: { type: "Opaque", data: { ".dockerconfigjson": base64("{}") } },
    untyped: { data: {} },
    sneaky: { type: "constructor", data: {} },
    empty: { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": "" } },
    otherKey: { type: "kubernetes.io/dockerconfigjson", data: { "config.json": base64("{}") } },
    broken: { type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": base64('{"auths": hunter2') } },
  };

  it.each([
    [{ secretRef: { name: "opaque" } }, "SecretInvalid", "apps/opaque"],
    [{ secretRef: { name: "untyped" } }, "SecretInvalid", "apps/untyped"],
    [{ secretRef: { name: "sneaky" } }, "SecretInvalid", "apps/sneaky"],
    [{ secretRef: { name: "empty" } }, "SecretInvalid", ".dockerconfigjson"],
    [{ secretRef: { name: "otherKey" } }, "SecretInvalid", ".dockerconfigjson"],
    [{ secretRef: { name: "broken" } }, "SecretInvalid", "apps/broken"],
    [{ secretRef: { name: "absent" } }, "SecretNotFound", "apps/absent"],
    [{ serviceAccountName: "absent" }, "SecretNotFound", "apps/absent"],
    [{ serviceAccountName: "dangling" }, "SecretNotFound", "apps/gone"],
  ])("refuses %j", async (refs, code, named) => {
    const error = await readPullSecrets(
      source(secrets, { dangling: { imagePullSecrets: [{ name: "gone" }] } }),
      refs,
      signal,
    ).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, message: expect.stringContaining(named) });
    expect((error as Error).message).not.toContain("hunter2");
  });

  it("passes on what the cluster says", async () => {
    const down: SecretSource = {
      ...source({}),
      secrets: async () => await Promise.reject(new CodedError("KubeUnreachable", "down")),
    };
    await expect(readPullSecrets(down, { secretRef: { name: "a" } }, signal)).rejects.toMatchObject({
      code: "KubeUnreachable",
    });
  });
});
