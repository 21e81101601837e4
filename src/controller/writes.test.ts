import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

let registry: TestRegistry;
let controller: TestReconciler;
beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler({ ociEndpoint: true });
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const push = (version: string): unknown =>
  registry.store.putArtifact("moving", {
    tag: "latest",
    layers: [{ mediaType: "text/plain", bytes: Buffer.from(version) }],
  });
const oci = (): object => ({ oci: { url: `oci://${registry.host}/published/app`, insecure: true, tags: ["stable"] } });

/** The writes to the API of one reconcile. */
async function writesOf(work: () => Promise<unknown>): Promise<number> {
  controller.writes();
  await work();
  const writes = controller.writes();
  return writes.length;
}
const revision = async (): Promise<string | undefined> => (await controller.get("app"))?.status?.artifact?.revision;

describe("writes to the Kubernetes API", () => {
  it.each<[string, () => object | undefined, number, number]>([
    ["an ExternalArtifact", () => undefined, 3, 2],
    ["a push", oci, 2, 1],
    ["an ExternalArtifact and a push", () => ({ externalArtifact: {}, ...oci() }), 4, 2],
    ["an OCIRepository", () => ({ ociRepository: {} }), 2, 2],
  ])("are few, and none where nothing has changed: %s", async (_, publish, first, update) => {
    push("1");
    const wanted = publish();
    const spec = {
      url: `oci://${registry.host}/moving`,
      insecure: true,
      interval: "10m",
      layerSelector: { operation: "ExtractAll" },
      ...(wanted && { publish: wanted }),
    };
    await controller.apply("app", spec);
    const reconcile = async (): Promise<unknown> => await controller.reconcile("app");
    expect(await writesOf(reconcile)).toBe(first);
    const before = await revision();
    for (let again = 0; again < 3; again++) expect(await writesOf(reconcile)).toBe(0);
    controller.restart();
    expect(await writesOf(reconcile)).toBe(0);
    push("2");
    expect(await writesOf(reconcile)).toBe(update);
    expect(await revision()).not.toBe(before);
    expect(await writesOf(reconcile)).toBe(0);
  });
});
