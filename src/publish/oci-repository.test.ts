import { ociRepositories } from "../../api/kinds.ts";
import { describe, expect, test } from "vitest";
import type { OciRepository } from "../../api/flux/source.ts";
import type { PublishOci } from "../../api/v1beta1/publish.ts";
import { codeOf } from "../errors.ts";
import { MemoryKube, type MemoryKubeOptions } from "../kube/local/memory.ts";
import { sha256Of } from "../oci/digest.ts";
import {
  publishOciRepository,
  pullSource,
  withdrawOciRepository,
  type OciRepositoryRequest,
} from "./oci-repository.ts";

const key = { namespace: "apps", name: "podinfo" };
const owner = { ...key, uid: "uid-now" };
const signal = new AbortController().signal;
const fluxType = "application/vnd.cncf.flux.content.v1.tar+gzip";

function image(content: string, mediaType = fluxType): OciRepositoryRequest["image"] {
  return {
    descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256Of(content), size: 500 },
    layer: { mediaType, digest: sha256Of(`layer of ${content}`), size: 100 },
  };
}

const target: PublishOci = {
  url: "oci://registry.example/apps/podinfo",
  provider: "generic",
  mediaType: fluxType,
  tags: ["stable"],
  retain: 5,
};

function setUp(options: MemoryKubeOptions = {}) {
  const requests: string[] = [];
  const kube = new MemoryKube({ ...options, onRequest: ({ verb }) => void requests.push(verb) });
  const publish = async (change: Partial<OciRepositoryRequest> = {}) =>
    await publishOciRepository(
      {
        client: kube,
        owner,
        source: pullSource(key, target, undefined),
        image: image("one"),
        interval: "10m",
        timeout: "60s",
        fieldManager: "strata-controller",
        current: null,
        ...change,
      },
      signal,
    );
  const read = async (): Promise<OciRepository> => {
    const object = await kube.get<OciRepository>(ociRepositories, key, signal);
    if (object === undefined) throw new Error("there is none");
    requests.pop();
    return object;
  };
  return { kube, requests, publish, read };
}

describe("a managed OCIRepository", () => {
  test("reads what was pushed, by its digest", async () => {
    const { publish, read, requests } = setUp();
    expect(await publish()).toEqual({
      kind: "OCIRepository",
      name: "podinfo",
      url: target.url,
      digest: sha256Of("one"),
    });
    expect(requests).toEqual(["create"]);
    const { spec, metadata } = await read();
    expect(spec).toEqual({
      url: target.url,
      provider: "generic",
      interval: "10m",
      timeout: "60s",
      ref: { digest: sha256Of("one") },
      layerSelector: { mediaType: fluxType, operation: "copy" },
    });
    expect(metadata).toMatchObject({
      labels: { "app.kubernetes.io/managed-by": "strata-controller" },
      ownerReferences: [{ uid: "uid-now", controller: true }],
    });
  });

  test("is not written again for equal content, nor for what others have set", async () => {
    const { kube, publish, read, requests } = setUp();
    await publish();
    const made = await read();
    const current = kube.put(ociRepositories, {
      ...made,
      spec: { ...made.spec, suspend: true, timeout: "60s" } as OciRepository["spec"],
    });
    requests.length = 0;
    await publish({ current });
    expect(requests).toEqual([]);
  });

  test.each<[string, Partial<OciRepositoryRequest>, Partial<OciRepository["spec"]>]>([
    ["content", { image: image("two") }, { ref: { digest: sha256Of("two") } }],
    [
      "layer type",
      { image: image("one", "application/vnd.oci.image.layer.v1.tar+gzip") },
      { layerSelector: { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", operation: "copy" } },
    ],
    ["interval", { interval: "1h" }, { interval: "1h" }],
    ["timeout", { timeout: "5m" }, { timeout: "5m" }],
    [
      "place",
      { source: pullSource(key, undefined, { address: "strata:5000", insecure: true }) },
      { url: "oci://strata:5000/apps/podinfo", insecure: true },
    ],
  ])("follows the %s, in one request", async (_, change, expected) => {
    const { publish, read, requests } = setUp();
    await publish();
    const before = await read();
    requests.length = 0;
    await publish({ current: before, ...change });
    expect(requests).toEqual(["apply"]);
    const after = await read();
    expect(after.spec).toEqual({ ...before.spec, ...expected });
    expect(after.metadata.uid).toBe(before.metadata.uid);
  });

  test.each<[string, (made: OciRepository["spec"]) => object]>([
    ["the Secret of an earlier target", (spec) => ({ ...spec, secretRef: { name: "old" }, insecure: true })],
    ["a range that was added by hand", (spec) => ({ ...spec, ref: { ...spec.ref, semver: ">=1.0.0", tag: "latest" } })],
  ])("does not keep %s", async (_, change) => {
    const { kube, publish, read, requests } = setUp();
    await publish();
    const made = await read();
    const current = kube.put(ociRepositories, {
      ...made,
      spec: { ...change(made.spec), suspend: true } as unknown as OciRepository["spec"],
    });
    requests.length = 0;
    await publish({ current, interval: "1h" });
    expect(requests).toEqual(["apply", "patch"]);
    expect((await read()).spec).toEqual({ ...made.spec, interval: "1h", suspend: true });
  });

  test("drops the Secret it was created with", async () => {
    const { publish, read } = setUp();
    await publish({ source: pullSource(key, { ...target, secretRef: { name: "regcred" } }, undefined) });
    const made = await read();
    expect(made.spec.secretRef).toEqual({ name: "regcred" });
    await publish({ current: made });
    expect((await read()).spec).not.toHaveProperty("secretRef");
  });

  test("of somebody else is not touched", async () => {
    const { kube, publish, read } = setUp();
    const foreign = kube.put<OciRepository>(ociRepositories, {
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "OCIRepository",
      metadata: key,
      spec: { url: "oci://registry.example/by-hand", interval: "1m" },
    });
    for (const current of [null, undefined, foreign]) {
      const error: unknown = await publish({ current }).catch((thrown: unknown) => thrown);
      expect(codeOf(error)).toBe("NotOwned");
    }
    await withdrawOciRepository({ client: kube, owner }, signal);
    expect(await read()).toBe(foreign);
  });

  test("without Flux says what to install", async () => {
    const { publish } = setUp({ kinds: [] });
    const error: unknown = await publish().catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe("CrdMissing");
    expect((error as Error).message).toContain("install Flux 2.6 or later");
  });

  test("goes when it is withdrawn", async () => {
    const { kube, publish } = setUp();
    await publish();
    await withdrawOciRepository({ client: kube, owner }, signal);
    expect(await kube.get(ociRepositories, key, signal)).toBeUndefined();
  });
});

describe("the place to pull from", () => {
  const everything = {
    provider: "aws",
    secretRef: { name: "s" },
    serviceAccountName: "puller",
    certSecretRef: { name: "c" },
    proxySecretRef: { name: "p" },
    insecure: true,
  } as const;

  test.each<[string, PublishOci, object]>([
    [
      "takes over how the target is reached, and nothing else",
      { ...target, ...everything },
      { url: target.url, ...everything },
    ],
    [
      "leaves out what says nothing",
      { ...target, insecure: false, serviceAccountName: "" },
      { url: target.url, provider: "generic" },
    ],
  ])("%s", (_, given, expected) => {
    expect(pullSource(key, given, { address: "strata:5000", insecure: true })).toEqual(expected);
  });

  test.each([
    [true, { url: "oci://strata.strata-system:5000/apps/podinfo", provider: "generic", insecure: true }],
    [false, { url: "oci://strata.strata-system:5000/apps/podinfo", provider: "generic" }],
  ])("is the embedded endpoint where nothing is pushed (plain HTTP: %s)", (insecure, expected) => {
    expect(pullSource(key, undefined, { address: "strata.strata-system:5000", insecure })).toEqual(expected);
  });

  test("is missed where there is neither", () => {
    expect(() => pullSource(key, undefined, undefined)).toThrow(expect.objectContaining({ code: "PublishFailed" }));
  });
});
