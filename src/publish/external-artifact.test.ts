import { externalArtifacts } from "../../api/kinds.ts";
import { describe, expect, test } from "vitest";
import type { ExternalArtifact } from "../../api/flux/source.ts";
import { codeOf } from "../errors.ts";
import type { ConditionDraft } from "../kube/conditions.ts";
import { MemoryKube, type MemoryKubeOptions } from "../kube/local/memory.ts";
import { sha256Of } from "../oci/digest.ts";
import {
  publishExternalArtifact,
  readRequestedAt,
  withdrawExternalArtifact,
  type ExternalArtifactRequest,
} from "./external-artifact.ts";
import type { Artifact } from "../store/store.ts";

const key = { namespace: "apps", name: "podinfo" };
const owner = { ...key, uid: "uid-now" };
const signal = new AbortController().signal;
const first = new Date("2026-11-21T07:00:00Z");
const later = new Date("2026-11-21T08:00:00Z");
const verified: ConditionDraft = {
  type: "SourceVerified",
  status: "True",
  reason: "Succeeded",
  message: "verified cosign signature of key.pub",
};

function artifact(content: string, metadata?: Record<string, string>): Artifact {
  const digest = sha256Of(content);
  const path = `artifactrepository/apps/podinfo/${digest}.tar.gz`;
  return {
    path,
    url: `http://strata/${path}`,
    revision: `1.0.0@${digest}`,
    digest,
    size: content.length,
    lastUpdateTime: "2026-11-21T06:59:00Z",
    ...(metadata && { metadata }),
  };
}

function setUp(options: MemoryKubeOptions = {}) {
  const requests: string[] = [];
  const kube = new MemoryKube({
    ...options,
    onRequest: async (request) => {
      requests.push(request.verb);
      await options.onRequest?.(request);
    },
  });
  const publish = async (change: Partial<ExternalArtifactRequest> = {}) =>
    await publishExternalArtifact(
      {
        client: kube,
        owner,
        artifact: artifact("one"),
        fieldManager: "strata-controller",
        current: null,
        now: first,
        ...change,
      },
      signal,
    );
  const read = async (): Promise<ExternalArtifact> => {
    const object = await kube.get<ExternalArtifact>(externalArtifacts, key, signal);
    if (object === undefined) throw new Error("there is none");
    requests.pop();
    return object;
  };
  return { kube, requests, publish, read };
}

describe("an ExternalArtifact", () => {
  test("is what RFC-0012 asks for, in two requests", async () => {
    const { publish, read, requests } = setUp();
    expect(await publish()).toEqual({ kind: "ExternalArtifact", name: "podinfo", digest: sha256Of("one") });
    expect(requests).toEqual(["create", "apply"]);
    const object = await read();
    expect(object.spec).toEqual({
      sourceRef: { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", ...key },
    });
    expect(object.metadata.ownerReferences).toEqual([
      {
        apiVersion: "source.strata.dev/v1beta1",
        kind: "ArtifactRepository",
        name: "podinfo",
        uid: "uid-now",
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    expect(object.metadata.labels).toEqual({ "app.kubernetes.io/managed-by": "strata-controller" });
    expect(object.status).toEqual({
      artifact: artifact("one"),
      conditions: [
        {
          type: "Ready",
          status: "True",
          reason: "Succeeded",
          message: "Artifact is ready",
          observedGeneration: 1,
          lastTransitionTime: "2026-11-21T07:00:00Z",
        },
      ],
    });
  });

  test("is not written again while nothing differs", async () => {
    const { publish, read, requests } = setUp();
    await publish({ sourceVerified: verified });
    const current = await read();
    requests.length = 0;
    await publish({ sourceVerified: { ...verified }, current, now: later });
    expect(requests).toEqual([]);
  });

  test.each<[string, Partial<ExternalArtifactRequest>, readonly string[]]>([
    ["other content", { artifact: artifact("two") }, ["Ready", "SourceVerified"]],
    [
      "only another address",
      { artifact: { ...artifact("one"), url: "http://elsewhere/x.tar.gz" } },
      ["Ready", "SourceVerified"],
    ],
    ["no signature any more", { sourceVerified: undefined }, ["Ready"]],
    [
      "another signer",
      { sourceVerified: { ...verified, message: "verified notation signature of CN=x" } },
      ["Ready", "SourceVerified"],
    ],
  ])("with %s gets a new status, in one request", async (_, change, types) => {
    const { publish, read, requests } = setUp();
    await publish({ sourceVerified: verified });
    const current = await read();
    requests.length = 0;
    const wanted = { sourceVerified: verified, artifact: artifact("one"), ...change };
    await publish({ ...wanted, current, now: later });
    expect(requests).toEqual(["apply"]);
    const { status, metadata } = await read();
    expect(status?.artifact).toEqual(wanted.artifact);
    expect(status?.conditions?.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])).toEqual(
      types.map((type) => [type, "2026-11-21T07:00:00Z"]),
    );
    expect(status?.conditions?.find(({ type }) => type === "SourceVerified")?.message).toBe(
      wanted.sourceVerified?.message,
    );
    expect(metadata.generation).toBe(1);
  });

  test("forgets metadata that upstream no longer has", async () => {
    const { publish, read } = setUp();
    await publish({ artifact: artifact("one", { a: "1", b: "2" }) });
    await publish({ artifact: artifact("one", { b: "2" }), current: await read() });
    expect((await read()).status?.artifact?.metadata).toEqual({ b: "2" });
  });

  test.each<[string, ExternalArtifact["spec"] | undefined]>([
    ["no spec", undefined],
    ["no reference", {} as ExternalArtifact["spec"]],
    [
      "the name of another ArtifactRepository",
      {
        sourceRef: {
          apiVersion: "source.strata.dev/v1beta1",
          kind: "ArtifactRepository",
          name: "other",
          namespace: "apps",
        },
      },
    ],
    [
      "an older version of the API",
      { sourceRef: { apiVersion: "source.strata.dev/v1alpha1", kind: "ArtifactRepository", ...key } },
    ],
  ])("of ours with %s is set right, and observes the new generation", async (_, spec) => {
    const { kube, publish, read, requests } = setUp();
    await publish();
    const { spec: wanted, ...made } = await read();
    const current = kube.put(externalArtifacts, { ...made, ...(spec && { spec }) } as ExternalArtifact);
    await publish({ current, now: later });
    expect(requests).toEqual(["create", "apply", "apply", "apply"]);
    const after = await read();
    expect(after.spec).toEqual(wanted);
    expect(after.status?.conditions).toMatchObject([
      { observedGeneration: after.metadata.generation, lastTransitionTime: "2026-11-21T07:00:00Z" },
    ]);
  });

  test("of ours that names another kind as its source is not touched", async () => {
    const { kube, publish, read } = setUp();
    await publish();
    const current = kube.put(externalArtifacts, {
      ...(await read()),
      spec: { sourceRef: { kind: "GitRepository", name: "app" } },
    });
    expect(codeOf(await publish({ current, artifact: artifact("two") }).catch((error: unknown) => error))).toBe(
      "NotOwned",
    );
    await withdrawExternalArtifact({ client: kube, owner }, signal);
    expect(await read()).toBe(current);
  });

  test("of somebody else is not touched, and its status neither", async () => {
    const { kube, publish, read } = setUp();
    const ownerReferences = [
      { apiVersion: "source.extensions.fluxcd.io/v1beta1", kind: "ArtifactGenerator", name: "gen", uid: "uid-gen" },
    ];
    const foreign = kube.put<ExternalArtifact>(externalArtifacts, {
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "ExternalArtifact",
      metadata: { ...key, ownerReferences },
      spec: { sourceRef: { kind: "ArtifactGenerator", name: "gen" } },
    });
    const error: unknown = await publish().catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe("NotOwned");
    expect((error as Error).message).toMatch(/ExternalArtifact apps\/podinfo .*ArtifactGenerator gen/);
    expect(await read()).toBe(foreign);
  });

  test.each([null, undefined])(
    "that is deleted again and again between the two requests asks for another try (cache: %s)",
    async (current) => {
      const { kube, publish } = setUp({
        onRequest: ({ verb }) => {
          if (verb === "apply") kube.remove(externalArtifacts, key);
        },
      });
      await expect(publish({ current })).rejects.toMatchObject({ code: "KubeConflict" });
    },
  );

  test("that has changed since the cache saw it is read again", async () => {
    const { kube, publish, read, requests } = setUp();
    await publish();
    const current = await read();
    kube.put(externalArtifacts, {
      ...current,
      metadata: { ...current.metadata, annotations: { "reconcile.fluxcd.io/requestedAt": "1" } },
    });
    requests.length = 0;
    await publish({ current, artifact: artifact("two") });
    expect(requests).toEqual(["apply", "get", "apply"]);
    expect((await read()).status?.artifact).toEqual(artifact("two"));
  });

  test("that somebody else has put in its place gets no status from an old cache", async () => {
    const { kube, publish, read } = setUp();
    await publish();
    const { status: _, ...current } = await read();
    kube.remove(externalArtifacts, key);
    const foreign = kube.put<ExternalArtifact>(externalArtifacts, { ...current, metadata: key });
    await expect(publish({ current })).rejects.toMatchObject({ code: "NotOwned" });
    expect(await read()).toBe(foreign);
  });

  test("without Flux says what to install", async () => {
    const { kube, publish } = setUp({ kinds: [] });
    const error: unknown = await publish().catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe("CrdMissing");
    expect((error as Error).message).toContain("install Flux 2.7 or later");
    await withdrawExternalArtifact({ client: kube, owner }, signal);
  });

  test("goes when it is withdrawn", async () => {
    const { kube, publish } = setUp();
    await publish();
    await withdrawExternalArtifact({ client: kube, owner: { ...owner, uid: "uid-later" } }, signal);
    expect(await kube.get(externalArtifacts, key, signal)).toBeDefined();
    await withdrawExternalArtifact({ client: kube, owner }, signal);
    expect(await kube.get(externalArtifacts, key, signal)).toBeUndefined();
  });
});

test.each([
  [undefined, undefined],
  [{ other: "x" }, undefined],
  [{ "reconcile.fluxcd.io/requestedAt": "1700000000" }, "1700000000"],
])("annotations %o ask for a reconcile at %s", (annotations, expected) => {
  expect(readRequestedAt({ metadata: annotations === undefined ? {} : { annotations } })).toBe(expected);
});
