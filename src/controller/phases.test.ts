import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import type { Fault } from "../testing/registry/faults.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

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

const spec = (more: object = {}): object => specOf(registry, "flux/app", more);

describe("timeout", () => {
  const hangs = (path: RegExp): Fault => ({ path, times: 100, delayMs: 60_000 });
  const drips = (path: RegExp): Fault => ({ path, times: 100, stallAfterBytes: 5 });
  const refuses = (path: RegExp): Fault => ({ path, times: 100, status: 503 });

  it.each<[string, Fault, object]>([
    ["a manifest", hangs(/manifests/), {}],
    ["a manifest's body", drips(/manifests/), {}],
    ["the list of tags", hangs(/tags/), { ref: { semver: ">=1.0.0" } }],
    ["the list of tags, in its body", drips(/tags/), { ref: { semver: ">=1.0.0" } }],
    ["the first answer of all", hangs(/./), {}],
    ["what serves blobs", hangs(/blobs/), {}],
    ["what refuses again and again", refuses(/manifests/), {}],
  ])("is what %s may take, all attempts together", async (_, fault, more) => {
    registry.faults.add(fault);
    await controller.apply("app", spec({ timeout: "500ms", ...more }));
    const started = performance.now();
    expect(await controller.reconcile("app")).toMatchObject({
      kind: "retry",
      code: expect.stringMatching(/^Registry(Timeout|Unavailable)$/),
    });
    expect(performance.now() - started).toBeLessThan(1900);
    const ready = conditionOf(await controller.get("app"), "Ready");
    const reason = "ref" in more ? "ReadOperationFailed" : "OCIArtifactPullFailed";
    expect(ready).toMatchObject({ status: "False", reason });
    expect(ready?.message).toContain(registry.host);
  });

  it("says which phase has taken how long", async () => {
    registry.faults.add(hangs(/manifests/));
    await controller.apply("app", spec({ timeout: "250ms" }));
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")?.message).toMatch(/0\.25 s/);
  });

  it.each([
    ["0s", "True"],
    ["1m", "True"],
    ["1ms", "False"],
  ])("of %s makes Ready %s", async (timeout, status) => {
    registry.faults.add({ path: /manifests/, delayMs: 50 });
    await controller.apply("app", spec({ timeout }));
    await controller.reconcile("app");
    expect(conditionOf(await controller.get("app"), "Ready")?.status).toBe(status);
  });
});

describe("interval", () => {
  it.each([
    ["0s", { kind: "forget" }],
    ["1ms", { kind: "after", milliseconds: 1000 }],
    ["1m", { kind: "after", milliseconds: 60_000 }],
  ])("of %s is followed by %o, well or badly", async (interval, next) => {
    await controller.apply("app", spec({ interval }));
    expect(await controller.reconcile("app")).toEqual(next);
    expect(await controller.reconcile("app")).toEqual(next);
    await controller.apply("app", spec({ interval, layerSelector: { mediaType: "application/nothing" } }));
    expect(await controller.reconcile("app")).toEqual(next);
  });

  it("that is too short is told once for each edit", async () => {
    await controller.apply("app", spec({ interval: "10ms" }));
    await controller.reconcile("app");
    await controller.reconcile("app");
    const told = (): string[] =>
      controller.events.filter(({ reason }) => reason === "IntervalTooShort").map(({ message }) => message);
    expect(told()).toEqual(["interval is 10ms; the shortest is 1000 ms, which is used"]);
    await controller.apply("app", spec({ interval: "20ms" }));
    await controller.reconcile("app");
    expect(told()).toHaveLength(2);
  });

  it("of 0s tries again what has failed", async () => {
    registry.faults.add({ path: /manifests/, times: 100, status: 500 });
    await controller.apply("app", spec({ interval: "0s" }));
    expect(await controller.reconcile("app")).toMatchObject({ kind: "retry" });
  });
});
