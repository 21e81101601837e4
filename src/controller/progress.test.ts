import { afterEach, beforeEach, expect, it } from "vitest";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

let registry: TestRegistry;
let controller: TestReconciler;
/** Resolves what the reconcile waits for. */
let go: () => void;

beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  const gate = Promise.withResolvers<void>();
  go = gate.resolve;
  const { sources, settings } = controller.deps;
  const open: typeof sources.open = async (...args) => {
    await gate.promise;
    return await sources.open(...args);
  };
  Object.assign(controller.deps, { sources: { ...sources, open }, settings: { ...settings, progressAfterMs: 1 } });
  await controller.apply("app", specOf(registry, "flux/app"));
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const condition = async (type: string) => conditionOf(await controller.get("app"), type);

it("an object that takes long says so, and then what came of it", async () => {
  const reconciling = controller.reconcile("app");
  await expect.poll(async () => (await condition("Reconciling"))?.reason).toBe("Progressing");
  expect(await condition("Ready")).toMatchObject({ status: "Unknown", reason: "Progressing" });
  expect((await condition("Reconciling"))?.message).toMatch(/fetching and building the artifact of oci:/);
  go();
  await reconciling;
  expect([await condition("Reconciling"), (await condition("Ready"))?.status]).toEqual([undefined, "True"]);
});

it("one that is ready stays so while it is looked at again", async () => {
  go();
  await controller.reconcile("app");
  const gate = Promise.withResolvers<void>();
  const { sources } = controller.deps;
  const open: typeof sources.open = async (...args) => {
    await gate.promise;
    return await sources.open(...args);
  };
  Object.assign(controller.deps, { sources: { ...sources, open } });
  const reconciling = controller.reconcile("app");
  await expect.poll(async () => (await condition("Reconciling"))?.reason).toBe("Progressing");
  expect((await condition("Ready"))?.status).toBe("True");
  gate.resolve();
  await reconciling;
  expect(await condition("Reconciling")).toBeUndefined();
});
