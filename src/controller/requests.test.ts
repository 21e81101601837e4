import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactRepositories, externalArtifacts, ociRepositories } from "../../api/kinds.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

const never = new AbortController().signal;
const key = { namespace: "default", name: "app" };
const requestedAt = "reconcile.fluxcd.io/requestedAt";
let registry: TestRegistry;
let controller: TestReconciler;

beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const spec = (repository: string, more: object = {}): object => specOf(registry, repository, more);
const following = { ref: { semver: ">=1.0.0" } };
const lists = (): number => registry.requests.filter(({ path }) => path.includes("/tags/list")).length;
const kinds = { object: artifactRepositories, "ExternalArtifact made from it": externalArtifacts };
const places = Object.keys(kinds) as readonly (keyof typeof kinds)[];
/** As notification-controller does for a Receiver. */
const annotate = async (place: keyof typeof kinds, value: string): Promise<void> =>
  void (await controller.kube.patch(
    kinds[place],
    key,
    { metadata: { annotations: { [requestedAt]: value } } },
    { fieldManager: "notification-controller" },
    never,
  ));
const ready = async (): Promise<string | undefined> => conditionOf(await controller.get("app"), "Ready")?.status;
const handled = async (): Promise<Record<string, string | undefined>> => {
  const { lastHandledReconcileAt, lastHandledExternalArtifactReconcileAt } = (await controller.get("app"))!.status!;
  return { object: lastHandledReconcileAt, "ExternalArtifact made from it": lastHandledExternalArtifactReconcileAt };
};

describe.each(places)("a request on the %s", (place) => {
  it.each([
    ["a range", following],
    ["a policy", { ref: { filterTags: { pattern: "^1" }, policy: { semver: { range: "*" } } } }],
  ])("lists the tags anew for %s, once", async (_, more) => {
    await controller.apply("app", spec("flux/app", more));
    await controller.reconcile("app");
    await controller.reconcile("app");
    expect(lists()).toBe(1);
    await annotate(place, "one");
    await controller.reconcile("app");
    expect(lists()).toBe(2);
    expect((await handled())[place]).toBe("one");
    await controller.reconcile("app");
    expect(lists()).toBe(2);
  });

  it("tries what has stalled again", async () => {
    await controller.apply("app", spec("flux/app"));
    await controller.reconcile("app");
    await controller.apply("app", spec("twin"));
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Stalled")?.reason).toBe("AmbiguousManifest");
    const stages: string[] = [];
    Object.assign(controller.deps.meter, { stage: (name: string) => void stages.push(name) });
    await controller.reconcile("app");
    expect(stages).toEqual(["resolve"]);
    await annotate(place, "one");
    await controller.reconcile("app");
    expect(stages.slice(1)).toContain("select");
    expect((await handled())[place]).toBe("one");
  });

  it("is still to be handled after a restart", async () => {
    await controller.apply("app", spec("flux/app", following));
    await controller.reconcile("app");
    await annotate(place, "one");
    controller.restart();
    await controller.reconcile("app");
    expect(lists()).toBe(2);
    controller.restart();
    await controller.reconcile("app");
    expect(lists()).toBe(2);
  });

  it("is still to be handled after the object was suspended", async () => {
    await controller.apply("app", spec("flux/app", following));
    await controller.reconcile("app");
    await controller.apply("app", spec("flux/app", { ...following, suspend: true }));
    await annotate(place, "one");
    await controller.reconcile("app");
    expect(lists()).toBe(1);
    const known = await controller.get("app");
    await controller.apply("app", spec("flux/app", following), { ...known?.metadata.annotations });
    await controller.reconcile("app");
    expect(lists()).toBe(2);
    expect((await handled())[place]).toBe("one");
  });

  it("counts until an attempt succeeds, and is told as handled at the first", async () => {
    for (const name of ["app", "other"]) await controller.apply(name, spec("flux/app", following));
    for (const name of ["app", "other"]) await controller.reconcile(name);
    const before = lists();
    await annotate(place, "one");
    registry.faults.add({ path: /tags\/list/, times: 1, status: 404 });
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
    expect((await handled())[place]).toBe("one");
    // The list that the other one has read would do for a routine reconcile.
    await controller.reconcile("app");
    expect(await ready()).toBe("True");
    expect(lists()).toBe(before + 2);
    await controller.reconcile("app");
    expect(lists()).toBe(before + 2);
  });
});

it("on an ExternalArtifact that is not the object's asks for nothing", async () => {
  await controller.apply("app", spec("flux/app", following));
  await controller.reconcile("app");
  const owners = { metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Other", name: "app", uid: "other" }] } };
  await controller.kube.patch(externalArtifacts, key, owners, { fieldManager: "other" }, never);
  await annotate("ExternalArtifact made from it", "one");
  await controller.reconcile("app");
  expect(lists()).toBe(1);
});

describe("labels", () => {
  const label = async (labels: Record<string, string | null>): Promise<void> => {
    await controller.kube.patch(artifactRepositories, key, { metadata: { labels } }, { fieldManager: "test" }, never);
    await controller.reconcile("app");
  };
  const labelsOf = (kind: typeof externalArtifacts): Readonly<Record<string, string>> =>
    controller.kube.peek(kind, key)!.metadata.labels!;
  const own = { "app.kubernetes.io/managed-by": "strata-controller" };

  it("reach what is published, and go when they go", async () => {
    await controller.close();
    controller = await startTestReconciler({ ociEndpoint: true });
    const publish = { externalArtifact: {}, ociRepository: {}, commonMetadata: { labels: { tier: "one" } } };
    await controller.apply("app", spec("flux/app", { publish }));
    await label({ team: "a", "sharding.fluxcd.io/key": "s1", "app.kubernetes.io/managed-by": "Helm", tier: "two" });
    for (const kind of [externalArtifacts, ociRepositories]) {
      expect(labelsOf(kind)).toEqual({ ...own, team: "a", "sharding.fluxcd.io/key": "s1", tier: "one" });
      await controller.kube.patch(kind, key, { metadata: { labels: { hand: "made" } } }, { fieldManager: "u" }, never);
    }
    await label({ team: null, "sharding.fluxcd.io/key": "s2" });
    for (const kind of [externalArtifacts, ociRepositories])
      expect(labelsOf(kind)).toEqual({ ...own, hand: "made", "sharding.fluxcd.io/key": "s2", tier: "one" });
    controller.writes();
    await controller.reconcile("app");
    expect(controller.writes()).toEqual([]);
  });
});
