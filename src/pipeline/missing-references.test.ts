import { describe, expect, it } from "vitest";
import type { SecretSource } from "../credentials/secret-data.ts";
import { CodedError } from "../errors.ts";
import { parseObject } from "./spec.ts";
import { referencesOf, targetReferences, tellingAllMissing } from "./missing-references.ts";

const signal = new AbortController().signal;

/** A namespace that holds these, and where everything else is missing, or may not be read. */
function namespaceWith(
  there: readonly string[],
  otherwise: "NotFound" | "AccessDenied" = "NotFound",
): SecretSource & { asked: string[] } {
  const asked: string[] = [];
  const read = async (namespace: string, name: string): Promise<object> => {
    asked.push(name);
    if (there.includes(name)) return await Promise.resolve({});
    throw new CodedError(otherwise, `${namespace}/${name}`);
  };
  return { namespace: "apps", secrets: read, serviceAccounts: read, asked };
}

const target = {
  url: "oci://registry.example/mirror",
  secretRef: { name: "push" },
  certSecretRef: { name: "ca" },
  sign: { secretRef: { name: "signer" } },
};
const { spec } = parseObject({
  apiVersion: "source.strata.dev/v1beta1",
  kind: "ArtifactRepository",
  metadata: { namespace: "apps", name: "app" },
  spec: {
    interval: "10m",
    url: "oci://registry.example/app",
    secretRef: { name: "pull" },
    certSecretRef: { name: "ca" },
    serviceAccountName: "puller",
    verify: { provider: "cosign", secretRef: { name: "keys" } },
    publish: { oci: target },
  },
});
const missing = async (name: string): Promise<never> =>
  await Promise.reject(new CodedError("SecretNotFound", `Secret apps/${name}, which secretRef names, does not exist`));

describe("what is missing", () => {
  it("is told at once, each with the fields that name it", async () => {
    const failure = await tellingAllMissing(missing("pull"), referencesOf(spec), namespaceWith([]), signal).catch(
      (error: unknown) => error,
    );
    expect(failure).toMatchObject({ code: "SecretNotFound" });
    expect((failure as Error).message.split("; ")).toEqual([
      "Secret apps/pull, which secretRef names, does not exist",
      "Secret apps/ca, which certSecretRef and publish.oci.certSecretRef name, does not exist",
      "ServiceAccount apps/puller, which serviceAccountName names, does not exist",
      "Secret apps/keys, which verify.secretRef names, does not exist",
      "Secret apps/push, which publish.oci.secretRef names, does not exist",
      "Secret apps/signer, which publish.oci.sign.secretRef names, does not exist",
    ]);
  });

  it("is not what is there, or what may not be read", async () => {
    const there = namespaceWith(["ca", "puller", "keys", "push"]);
    await expect(tellingAllMissing(missing("pull"), referencesOf(spec), there, signal)).rejects.toThrow(
      /^Secret apps\/pull, [^;]*; Secret apps\/signer, [^;]*$/,
    );
    const locked = namespaceWith([], "AccessDenied");
    await expect(tellingAllMissing(missing("pull"), referencesOf(spec), locked, signal)).rejects.toThrow(
      /^Secret apps\/pull, which secretRef names, does not exist$/,
    );
  });

  it("is of the target alone where the target is opened, by its own fields", async () => {
    await expect(
      tellingAllMissing(missing("push"), targetReferences(spec.publish!.oci!), namespaceWith(["ca"]), signal),
    ).rejects.toThrow(/^Secret apps\/push, which publish\.oci\.secretRef [^;]*; Secret apps\/signer, [^;]*$/);
  });

  it("may stand in no field", async () => {
    const named = namespaceWith(["pull", "ca", "puller", "push", "signer"]);
    await expect(tellingAllMissing(missing("of-account"), referencesOf(spec), named, signal)).rejects.toThrow(
      /^Secret apps\/of-account, [^;]*; Secret apps\/keys, [^;]*$/,
    );
  });

  it("is looked for only where something is missing", async () => {
    const source = namespaceWith([]);
    await expect(tellingAllMissing(Promise.resolve(1), referencesOf(spec), source, signal)).resolves.toBe(1);
    const other = new CodedError("SecretInvalid", "has no key");
    await expect(tellingAllMissing(Promise.reject(other), referencesOf(spec), source, signal)).rejects.toBe(other);
    expect(source.asked).toEqual([]);
  });
});
