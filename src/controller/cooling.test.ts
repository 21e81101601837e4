import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Digest } from "../oci/types.ts";
import { tarOf } from "../testing/archives/tar.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { assertOld } from "../verify/age.ts";
import type { VerifyPolicy } from "../verify/verifier.ts";

const hour = 3_600_000;
const path = "app";
const policy: VerifyPolicy = { provider: "cosign", method: "keys", keys: [], fingerprint: "f", minAgeMs: 72 * hour };

let registry: TestRegistry;
let controller: TestReconciler;
/** Milliseconds since the epoch. */
let now: number;
/** When each manifest was signed. */
let signedAt: Map<Digest, number>;

beforeEach(async () => {
  registry = await startRegistry();
  controller = await startTestReconciler();
  now = Date.parse("2026-01-10T00:00:00Z");
  signedAt = new Map();
  const { sources } = controller.deps;
  Object.assign(controller.deps, {
    now: () => new Date(now),
    sources: { ...sources, verifyPolicy: () => Promise.resolve(policy) },
    verifier: {
      verify: async (request: Parameters<typeof assertOld>[1]) => {
        const common = { provider: "cosign", result: "verified", identity: "key a" } as const;
        const time = signedAt.get(request.root.digest);
        const verification = { ...common, signature: undefined, warnings: [], validUntil: undefined, signedAt: time };
        return await Promise.resolve(assertOld(verification, request, now));
      },
    },
  });
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

/** Pushes a version that was signed so many hours ago. */
function push(tag: string, hoursAgo: number, content = tag): Digest {
  const bytes = gzipSync(tarOf({ name: "file", content }));
  const layers = [{ mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip", bytes }];
  const { digest } = registry.store.putArtifact(path, { tag, layers });
  signedAt.set(digest, now - hoursAgo * hour);
  return digest;
}

async function apply(ref: object, more: object = {}, annotations: Record<string, string> = {}): Promise<void> {
  const verify = { provider: "cosign", secretRef: { name: "keys" }, minAge: "72h" };
  const url = `oci://${registry.host}/${path}`;
  await controller.apply("app", { url, insecure: true, interval: "24h", ref, verify, ...more }, annotations);
}

async function reconciled() {
  const next = await controller.reconcile("app");
  const object = await controller.get("app");
  const { artifact, upstream } = object?.status ?? {};
  const outdated = conditionOf(object, "ArtifactOutdated");
  return {
    next,
    revision: artifact?.revision.split("@")[0],
    upstream,
    ready: conditionOf(object, "Ready"),
    outdated,
    object,
  };
}

describe("a fixed tag", () => {
  it("stays at the version that is served until the new one is old enough", async () => {
    const first = push("stable", 100);
    await apply({ tag: "stable" });
    expect(await reconciled()).toMatchObject({ ready: { status: "True" }, outdated: undefined });
    const second = push("stable", 70, "newer");
    const waiting = await reconciled();
    expect(waiting).toMatchObject({
      upstream: { digest: first, tag: "stable" },
      next: { kind: "after", milliseconds: 2 * hour },
      ready: { status: "True", message: expect.stringContaining("2026-01-10T02:00:00Z") },
      outdated: { status: "True", reason: "TooYoung", message: expect.stringContaining(second) },
    });
    controller.restart();
    expect(await reconciled()).toMatchObject({ upstream: { digest: first }, outdated: { status: "True" } });
    now += 2 * hour;
    expect(await reconciled()).toMatchObject({
      upstream: { digest: second },
      outdated: undefined,
      next: { milliseconds: 24 * hour },
    });
  });

  it("is told to be too young, and until when, where nothing is served yet", async () => {
    push("stable", 71);
    await apply({ tag: "stable" });
    const { next, ready, object } = await reconciled();
    expect(ready).toMatchObject({
      status: "False",
      reason: "TooYoung",
      message: expect.stringContaining("at 2026-01-10T01:00:00Z"),
    });
    expect(conditionOf(object, "SourceVerified")).toMatchObject({ status: "False", reason: "TooYoung" });
    expect(next).toEqual({ kind: "after", milliseconds: hour });
  });

  it("keeps what is served, and says why not more, where that is gone upstream", async () => {
    const first = push("stable", 100);
    await apply({ tag: "stable" });
    await reconciled();
    push("stable", 1, "newer");
    registry.store.repository(path).manifests.delete(first);
    const { ready, revision, object } = await reconciled();
    expect([ready?.reason, revision]).toEqual(["TooYoung", "stable"]);
    expect(conditionOf(object, "ArtifactInStorage")?.status).toBe("True");
  });

  it("still builds anew from the version that is served where the spec selects something else", async () => {
    const first = push("stable", 100);
    await apply({ tag: "stable" });
    const before = await reconciled();
    push("stable", 1, "newer");
    await apply({ tag: "stable" }, { layerSelector: { operation: "Copy", filename: "a.tgz" } });
    const after = await reconciled();
    expect(after).toMatchObject({ upstream: { digest: first }, outdated: { status: "True" } });
    expect(after.object?.status?.artifact?.digest).not.toBe(before.object?.status?.artifact?.digest);
  });
});

describe("a range", () => {
  it("takes the newest version that is old enough", async () => {
    push("1.0.0", 1000);
    push("1.1.0", 100);
    push("1.2.0", 71);
    push("1.3.0", 10);
    await apply({ semver: "1.x" });
    expect(await reconciled()).toMatchObject({
      revision: "1.1.0",
      next: { milliseconds: hour },
      outdated: { status: "True", message: expect.stringMatching(/^1\.3\.0@.*2026-01-12T14:00:00Z/) },
    });
    now += hour;
    expect(await reconciled()).toMatchObject({ revision: "1.2.0" });
  });

  it.each<[string, () => void]>([
    ["its tag has moved to something too young", () => void push("1.1.0", 1, "moved")],
    ["its tag is gone", () => void registry.store.repository(path).tags.delete("1.1.0")],
  ])("never goes back behind the version that is served, also where %s", async (_, change) => {
    push("1.0.0", 1000);
    const served = push("1.1.0", 100);
    await apply({ semver: "1.x" });
    await reconciled();
    push("1.2.0", 1);
    change();
    // Asked for by somebody: the tags are listed anew.
    await apply({ semver: "1.x" }, {}, { "reconcile.fluxcd.io/requestedAt": "now" });
    expect(await reconciled()).toMatchObject({
      revision: "1.1.0",
      upstream: { digest: served },
      outdated: { status: "True" },
    });
  });

  it("looks at no more than ten versions", async () => {
    push("1.0.0", 1000);
    for (let minor = 1; minor <= 12; minor += 1) push(`1.${minor}.0`, 1);
    await apply({ semver: "1.x" });
    expect((await reconciled()).ready).toMatchObject({ status: "False", reason: "TooYoung" });
    const asked = registry.requests.filter(({ path: asked }) => asked.includes("/manifests/1."));
    expect(new Set(asked.map(({ path: one }) => one)).size).toBeLessThanOrEqual(10);
  });
});
