import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secrets } from "../../api/kinds.ts";
import type { RawObject } from "../pipeline/object.ts";
import { listArchive } from "../testing/archives/layers.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

// What an object says and gives where source-controller, read at v1.9.1, decides on it.

let registry: TestRegistry;
let controller: TestReconciler;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
});
afterAll(async () => {
  await controller.close();
  await registry.close();
});

let made = 0;
/** A new object with this spec, reconciled once. */
async function applied(
  repository: string,
  more: object,
  annotations?: Record<string, string>,
): Promise<{ name: string; object: RawObject }> {
  const name = `app-${++made}`;
  await change(name, repository, more, annotations);
  return { name, object: await reconciled(name) };
}

async function change(
  name: string,
  repository: string,
  more: object,
  annotations?: Record<string, string>,
): Promise<void> {
  await controller.apply(name, specOf(registry, repository, more), annotations);
}

async function reconciled(name: string): Promise<RawObject> {
  await controller.reconcile(name);
  return (await controller.get(name))!;
}

async function pathsOf({ status }: RawObject): Promise<string[]> {
  const response = await fetch(status!.artifact!.url);
  return await listArchive(Buffer.from(await response.arrayBuffer()));
}

describe("ignore, where the layout is copied", () => {
  it("makes an archive be extracted, with or without a selector", async () => {
    const chart = { ref: { tag: "0.1.0" }, ignore: "/*/templates\n*.md" };
    const { object } = await applied("helm/chart", chart);
    const paths = await pathsOf(object);
    expect(paths.some((path) => path.endsWith("Chart.yaml"))).toBe(true);
    expect(paths.filter((path) => path.includes("/templates") || path.endsWith(".md"))).toEqual([]);
    expect(object.status?.selected).toMatchObject({ operation: "Extract", profile: "helm" });
  });

  it.each([
    ["nothing is left out", {}],
    ["the operation is stated", { ignore: "*.md", layerSelector: { operation: "Copy" } }],
  ])("leaves a copy where %s", async (_, more) => {
    const { object } = await applied("helm/chart", { ref: { tag: "0.1.0" }, ...more });
    expect(object.status?.selected).toMatchObject({ operation: "Copy" });
    expect(object.status?.artifact?.revision).toContain(object.status!.selected!.layers![0]!.digest);
  });

  it("leaves a file the file it is, of which nothing can be left out", async () => {
    registry.store.putArtifact("flux/file", {
      tag: "1.0.0",
      config: { mediaType: "application/vnd.cncf.flux.config.v1+json", bytes: Buffer.from("{}") },
      layers: [{ mediaType: "application/vnd.cncf.flux.content.v1.yaml", bytes: Buffer.from("kind: List\n") }],
    });
    const { object } = await applied("flux/file", { ignore: "*.md" });
    expect(object.status?.selected).toMatchObject({ operation: "Copy", profile: "flux-file" });
    expect(await pathsOf(object)).toEqual(["file.yaml"]);
  });
});

describe("suspend", () => {
  const requested = { "reconcile.fluxcd.io/requestedAt": "now" };

  it("of a ready object says that its generation and the request are dealt with", async () => {
    const { name } = await applied("flux/app", {});
    const before = (await controller.get(name))!.status!;
    await change(name, "flux/app", { suspend: true }, requested);
    const { metadata, status } = await reconciled(name);
    expect(status).toMatchObject({ observedGeneration: metadata.generation, lastHandledReconcileAt: "now" });
    expect(conditionOf({ metadata, status } as RawObject, "Ready")).toMatchObject({
      status: "True",
      observedGeneration: metadata.generation,
    });
    expect(status?.artifact).toEqual(before.artifact);
    expect(status?.conditions?.find(({ type }) => type === "ArtifactInStorage")).toEqual(
      before.conditions?.find(({ type }) => type === "ArtifactInStorage"),
    );
  });

  it("of a stalled one ends the stall, and of a failing one keeps its failure", async () => {
    const stalled = await applied("flux/app", { layerSelector: { mediaType: "text/none" } });
    expect(conditionOf(stalled.object, "Stalled")?.status).toBe("True");
    await change(stalled.name, "flux/app", { suspend: true, layerSelector: { mediaType: "text/none" } });
    const resting = await reconciled(stalled.name);
    expect(conditionOf(resting, "Stalled")).toBeUndefined();
    expect(conditionOf(resting, "Ready")).toMatchObject({ status: "False", reason: "OCIArtifactLayerOperationFailed" });

    const failing = await applied("flux/app", { ref: { tag: "none" } });
    await change(failing.name, "flux/app", { ref: { tag: "none" }, suspend: true });
    const { metadata, ...rest } = await reconciled(failing.name);
    expect(rest.status?.observedGeneration).toBe(metadata.generation);
    expect(conditionOf({ metadata, ...rest }, "Reconciling")?.reason).toBe("ProgressingWithRetry");
  });

  it("of a new object says nothing of what is not known, and writes once", async () => {
    const { name, object } = await applied("flux/app", { suspend: true }, requested);
    expect(object.status).toMatchObject({ observedGeneration: 1, lastHandledReconcileAt: "now", conditions: [] });
    controller.writes();
    await controller.reconcile(name);
    expect(controller.writes()).toEqual([]);
  });
});

describe("a failure that Flux has a reason for", () => {
  it.each<[string, object, string, string, RegExp]>([
    ["a range that no tag is in", { ref: { semver: ">=99" } }, "FetchFailed", "ReadOperationFailed", /^NoTagMatch: /],
    [
      "a filter that cannot be read",
      { ref: { semver: "*", semverFilter: "(?=x)" } },
      "FetchFailed",
      "ReadOperationFailed",
      /^InvalidPattern: /,
    ],
    ["a range that is none", { ref: { semver: "newest" } }, "FetchFailed", "ReadOperationFailed", /^InvalidSpec: /],
    [
      "a media type that no layer has",
      { layerSelector: { mediaType: "application/none" } },
      "FetchFailed",
      "OCIArtifactLayerOperationFailed",
      /^NoLayerMatch: /,
    ],
    ["a tag that is not there", { ref: { tag: "none" } }, "FetchFailed", "OCIArtifactPullFailed", /none/],
    [
      "a Secret of keys that is not there",
      { verify: { provider: "cosign", secretRef: { name: "nothing" } } },
      "SourceVerified",
      "VerificationError",
      /^SecretNotFound: .*nothing/,
    ],
    [
      "identities that cannot be read",
      { verify: { provider: "cosign", matchOIDCIdentity: [{ issuer: "(?=x)", subject: ".*" }] } },
      "SourceVerified",
      "VerificationError",
      /^InvalidPattern: /,
    ],
    ["credentials that are not there", { secretRef: { name: "nothing" } }, "FetchFailed", "AuthenticationFailed", /^/],
    [
      "everything that is not there",
      {
        secretRef: { name: "nothing" },
        verify: { provider: "cosign", secretRef: { name: "no-keys" } },
        publish: { oci: { url: "oci://r.example/a", sign: { secretRef: { name: "no-signer" } } } },
      },
      "FetchFailed",
      "AuthenticationFailed",
      /nothing, which secretRef .*no-keys, which verify\.secretRef .*no-signer, which publish\.oci\.sign\.secretRef /,
    ],
  ])("such as %s", async (_, more, condition, reason, message) => {
    const { object } = await applied("flux/app", more);
    const status = condition === "FetchFailed" ? "True" : "False";
    expect(conditionOf(object, condition)).toMatchObject({ status, reason, message: expect.stringMatching(message) });
    expect(conditionOf(object, "Ready")).toMatchObject({ status: "False", reason });
    expect(controller.events.at(-1)).toMatchObject({
      type: "Warning",
      reason,
      message: expect.stringMatching(message),
    });
  });

  it("such as a registry that does not list its tags, unless one is named", async () => {
    const url = "oci://127.0.0.1:1/app";
    const listed = await applied("flux/app", { url, ref: { semver: "*" } });
    expect(conditionOf(listed.object, "FetchFailed")?.reason).toBe("ReadOperationFailed");
    const named = await applied("flux/app", { url });
    expect(conditionOf(named.object, "FetchFailed")?.reason).toBe("OCIArtifactPullFailed");
  });

  it("such as a Secret of keys that is of no use, which passes once it is", async () => {
    const verify = { provider: "cosign", secretRef: { name: "keys" } };
    const data = { "cosign.pub": Buffer.from("no key").toString("base64") };
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace: "default", name: "keys" }, data };
    await controller.kube.create(secrets, secret, new AbortController().signal);
    const { name, object } = await applied("flux/app", { verify });
    expect(conditionOf(object, "SourceVerified")).toMatchObject({ status: "False", reason: "VerificationError" });
    expect(conditionOf(object, "FetchFailed")).toBeUndefined();
    await change(name, "flux/app", {});
    expect(conditionOf(await reconciled(name), "SourceVerified")).toBeUndefined();
  });
});

describe("ArtifactOutdated, where what is new fails", () => {
  const failing = { layerSelector: { mediaType: "application/vnd.example.nothing" } };
  it.each([
    ["another tag for the same digest", { ref: { tag: "2.0.0-same" }, ...failing }, "True"],
    ["the same tag and digest", { ref: { tag: "1.0.0" }, ...failing }, undefined],
  ])("is so for %s: %s", async (_, more, status) => {
    const { tags } = registry.store.repository("flux/app");
    tags.set("2.0.0-same", tags.get("1.0.0")!);
    const { name } = await applied("flux/app", { ref: { tag: "1.0.0" } });
    await change(name, "flux/app", more);
    const object = await reconciled(name);
    expect(conditionOf(object, "Ready")?.status).toBe("False");
    expect(conditionOf(object, "ArtifactOutdated")?.status).toBe(status);
  });
});
