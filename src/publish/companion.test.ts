import type { ResourceType } from "../../api/kinds.ts";
import { describe, expect, test } from "vitest";
import type { OwnerReference } from "../../api/flux/source.ts";
import { CodedError, codeOf, type ErrorCode } from "../errors.ts";
import type { KubeObject } from "../kube/client.ts";
import { MemoryKube, type KubeRequest, type MemoryKubeOptions } from "../kube/local/memory.ts";
import { companionMetadata, isArtifactRepository, place, withdraw, type Companion } from "./companion.ts";

interface Widget extends KubeObject {
  readonly spec: { readonly size: number; readonly from?: string };
}

const type: ResourceType = { group: "example.dev", version: "v1", plural: "widgets", kind: "Widget" };
const key = { namespace: "apps", name: "podinfo" };
const owner = { ...key, uid: "uid-now" };
const fieldManager = "strata-controller";
const signal = new AbortController().signal;
const ownerRef: OwnerReference = {
  apiVersion: "source.strata.dev/v1beta1",
  kind: "ArtifactRepository",
  name: "podinfo",
  uid: "uid-now",
  controller: true,
  blockOwnerDeletion: true,
};
const staleRef: OwnerReference = { ...ownerRef, uid: "uid-before" };
const otherRef: OwnerReference = {
  apiVersion: "apps.example/v1",
  kind: "Composition",
  name: "stack",
  uid: "uid-other",
  controller: true,
};

function setUp(options: MemoryKubeOptions = {}) {
  const requests: string[] = [];
  const bodies: KubeRequest[] = [];
  const kube = new MemoryKube({
    ...options,
    onRequest: async (request) => {
      requests.push(request.verb);
      bodies.push(request);
      await options.onRequest?.(request);
    },
  });
  return { kube, requests, bodies };
}

function companion(client: MemoryKube, current: Widget | null | undefined, size = 1): Companion<Widget> {
  return {
    client,
    type,
    owner,
    fieldManager,
    current,
    desired: {
      apiVersion: "example.dev/v1",
      kind: "Widget",
      metadata: companionMetadata(owner, fieldManager),
      spec: { size },
    },
    hasDesiredSpec: ({ spec }) => spec.size === size,
    foreignSource: ({ spec }) => spec.from,
    shippedWith: "Widgets 2.0",
  };
}

function put(
  kube: MemoryKube,
  ownerReferences: readonly OwnerReference[],
  { from, ...metadata }: { from?: string; labels?: Record<string, string>; finalizers?: string[] } = {},
): Widget {
  return kube.put<Widget>(type, {
    apiVersion: "example.dev/v1",
    kind: "Widget",
    metadata: { ...key, ownerReferences, ...metadata },
    spec: { size: 1, ...(from !== undefined && { from }) },
  });
}

const read = async (kube: MemoryKube): Promise<Widget | undefined> => await kube.get<Widget>(type, key, signal);

describe("a companion", () => {
  test("is created in one request, owned and labelled", async () => {
    const { kube, requests } = setUp();
    const made = await place(companion(kube, null), signal);
    expect(requests).toEqual(["create"]);
    expect(made).toMatchObject({
      metadata: { ...key, labels: { "app.kubernetes.io/managed-by": fieldManager }, ownerReferences: [ownerRef] },
      spec: { size: 1 },
    });
  });

  test("is left alone where it is as it is to be", async () => {
    const { kube, requests } = setUp();
    const made = await place(companion(kube, null), signal);
    requests.length = 0;
    expect(await place(companion(kube, made), signal)).toBe(made);
    expect(requests).toEqual([]);
  });

  test.each<[string, (made: Widget) => Widget]>([
    ["another spec", (made) => ({ ...made, spec: { size: 9 } })],
    ["no label", (made) => ({ ...made, metadata: { ...made.metadata, labels: {} } })],
    [
      "another manager's label",
      (made) => ({ ...made, metadata: { ...made.metadata, labels: { "app.kubernetes.io/managed-by": "hand" } } }),
    ],
    [
      "a reference that does not block",
      (made) => ({
        ...made,
        metadata: { ...made.metadata, ownerReferences: [{ ...ownerRef, blockOwnerDeletion: false }] },
      }),
    ],
    [
      "a reference of an older API version",
      (made) => ({
        ...made,
        metadata: { ...made.metadata, ownerReferences: [{ ...ownerRef, apiVersion: "source.strata.dev/v1alpha1" }] },
      }),
    ],
    [
      "a reference that does not control",
      (made) => ({ ...made, metadata: { ...made.metadata, ownerReferences: [{ ...ownerRef, controller: false }] } }),
    ],
  ])("with %s is corrected in one request", async (_, change) => {
    const { kube, requests } = setUp();
    const changed = kube.put(type, change(await place(companion(kube, null), signal)));
    requests.length = 0;
    const after = await place(companion(kube, changed), signal);
    expect(requests).toEqual(["apply"]);
    expect(after).toMatchObject({
      metadata: {
        uid: changed.metadata.uid,
        labels: { "app.kubernetes.io/managed-by": fieldManager },
        ownerReferences: [ownerRef],
      },
      spec: { size: 1 },
    });
  });

  test.each<[string, readonly OwnerReference[], { from?: string; labels?: Record<string, string> }, RegExp]>([
    ["nobody's", [], {}, /has no owner/],
    [
      "nobody's, with a label",
      [],
      { labels: { "app.kubernetes.io/managed-by": "source-watcher" } },
      /managed by source-watcher/,
    ],
    ["another controller's", [otherRef], {}, /belongs to Composition stack/],
    ["referred to by another object", [{ ...otherRef, controller: false }], {}, /belongs to Composition stack/],
    [
      "controlled by another object, and referring to ours too",
      [{ ...ownerRef, controller: false }, otherRef],
      {},
      /belongs to Composition stack/,
    ],
    [
      "left behind, but shared with another object",
      [staleRef, { ...otherRef, controller: false }],
      {},
      /belongs to ArtifactRepository podinfo/,
    ],
    [
      "another ArtifactRepository's",
      [{ ...ownerRef, name: "other", uid: "uid-other" }],
      {},
      /belongs to ArtifactRepository other/,
    ],
    [
      "another group's ArtifactRepository's",
      [{ ...staleRef, apiVersion: "else.dev/v1" }],
      {},
      /belongs to ArtifactRepository podinfo/,
    ],
    ["from elsewhere", [ownerRef], { from: "GitRepository app" }, /comes from GitRepository app/],
    [
      "left behind, and from elsewhere",
      [staleRef],
      { from: "GitRepository app" },
      /belongs to ArtifactRepository podinfo/,
    ],
  ])("that is %s is not touched", async (_, references, rest, why) => {
    const { kube, requests } = setUp();
    const foreign = put(kube, references, rest);
    for (const current of [null, undefined, foreign]) {
      requests.length = 0;
      const error: unknown = await place(companion(kube, current), signal).catch((thrown: unknown) => thrown);
      expect(codeOf(error)).toBe("NotOwned");
      expect((error as CodedError).message).toMatch(why);
      expect(requests).toEqual(current === null ? ["create", "get"] : ["get"]);
    }
    expect(await read(kube)).toBe(foreign);
    await withdraw({ client: kube, type, owner, foreignSource: companion(kube, undefined).foreignSource! }, signal);
    expect(await read(kube)).toBe(foreign);
  });

  test("that was left behind is deleted and made anew, never taken over", async () => {
    const { kube, requests } = setUp();
    const leftover = put(kube, [staleRef]);
    const made = await place(companion(kube, leftover), signal);
    expect(requests).toEqual(["get", "delete", "create"]);
    expect(made.metadata.uid).not.toBe(leftover.metadata.uid);
    expect(made.metadata.ownerReferences).toEqual([ownerRef]);
  });

  test("that was left behind and changes at that moment is not deleted", async () => {
    const { kube } = setUp({
      onRequest: ({ verb }) => {
        if (verb === "delete") put(kube, [otherRef]);
      },
    });
    await expect(place(companion(kube, put(kube, [staleRef])), signal)).rejects.toMatchObject({ code: "KubeConflict" });
    expect((await read(kube))?.metadata.ownerReferences).toEqual([otherRef]);
  });

  test.each([
    ["of ours", [ownerRef]],
    ["that was left behind", [staleRef]],
  ])("%s that is being deleted is waited for", async (_, references) => {
    const { kube } = setUp();
    put(kube, references, { finalizers: ["example.dev/hold"] });
    kube.remove(type, key);
    for (const current of [null, undefined, (await read(kube))!]) {
      await expect(place(companion(kube, current), signal)).rejects.toMatchObject({ code: "KubeConflict" });
    }
  });

  test("is asked for where nothing is known of it", async () => {
    const { kube, requests } = setUp();
    const made = await place(companion(kube, undefined), signal);
    expect(requests).toEqual(["get", "create"]);
    requests.length = 0;
    expect(await place(companion(kube, undefined), signal)).toBe(made);
    expect(requests).toEqual(["get"]);
  });

  test("is found although the cache has not seen it yet", async () => {
    const { kube, requests } = setUp();
    const made = await place(companion(kube, null), signal);
    requests.length = 0;
    expect(await place(companion(kube, null), signal)).toBe(made);
    expect(requests).toEqual(["create", "get"]);
  });

  test("is made again although the cache still has it", async () => {
    const { kube, requests } = setUp();
    const made = await place(companion(kube, null), signal);
    kube.remove(type, key);
    requests.length = 0;
    const again = await place(companion(kube, made, 2), signal);
    expect(requests).toEqual(["apply", "get", "create"]);
    expect(again.metadata.uid).not.toBe(made.metadata.uid);
  });

  test("is not taken from somebody who has replaced it, whatever the cache says", async () => {
    const { kube } = setUp();
    const made = await place(companion(kube, null), signal);
    kube.remove(type, key);
    const foreign = put(kube, [otherRef]);
    await expect(place(companion(kube, made, 2), signal)).rejects.toMatchObject({ code: "NotOwned" });
    expect(await read(kube)).toBe(foreign);
  });

  test("of a kind that does not exist is no riddle", async () => {
    const { kube } = setUp({ kinds: [] });
    const error: unknown = await place(companion(kube, null), signal).catch((thrown: unknown) => thrown);
    expect(codeOf(error)).toBe("CrdMissing");
    expect((error as CodedError).message).toContain("widgets.example.dev");
    expect((error as CodedError).message).toContain("install Widgets 2.0");
  });

  test.each<[ErrorCode, readonly string[]]>([
    ["AccessDenied", ["create"]],
    ["KubeUnreachable", ["create"]],
    ["KubeRejected", ["create", "get"]],
  ])("passes %s on", async (code, expected) => {
    const { kube, requests } = setUp({
      onRequest: () => {
        throw new CodedError(code, "no");
      },
    });
    await expect(place(companion(kube, null), signal)).rejects.toMatchObject({ code });
    expect(requests).toEqual(expected);
    await expect(withdraw({ client: kube, type, owner }, signal)).rejects.toMatchObject({ code });
  });
});

describe("withdrawing", () => {
  test("deletes what is ours", async () => {
    const { kube } = setUp();
    await place(companion(kube, null), signal);
    await withdraw({ client: kube, type, owner }, signal);
    expect(await read(kube)).toBeUndefined();
    await withdraw({ client: kube, type, owner }, signal);
  });

  test("does not delete what has taken its place meanwhile", async () => {
    const { kube } = setUp({
      onRequest: ({ verb }) => {
        if (verb !== "delete") return;
        kube.remove(type, key);
        put(kube, [otherRef]);
      },
    });
    await place(companion(kube, null), signal);
    await expect(withdraw({ client: kube, type, owner }, signal)).rejects.toMatchObject({ code: "KubeConflict" });
    expect((await read(kube))?.metadata.ownerReferences).toEqual([otherRef]);
  });

  test("has nothing to do without the kind", async () => {
    const { kube, requests } = setUp({ kinds: [] });
    await withdraw({ client: kube, type, owner }, signal);
    expect(requests).toEqual(["get"]);
  });
});

test.each([
  [{ apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository" }, true],
  [{ apiVersion: "source.strata.dev/v2", kind: "ArtifactRepository" }, true],
  [{ kind: "ArtifactRepository" }, true],
  [{ apiVersion: "source.strata.development/v1", kind: "ArtifactRepository" }, false],
  [{ apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactGenerator" }, false],
])("%o is an ArtifactRepository: %s", (reference, expected) => {
  expect(isArtifactRepository(reference)).toBe(expected);
});
