import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { artifactRepositories } from "../../api/kinds.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { CodedError, type ErrorCode } from "../errors.ts";
import type { RawObject } from "../pipeline/object.ts";
import { startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { failurePolicies } from "./policy.ts";

type Verdict = "Current" | "InProgress" | "Failed";

/** What `kubectl wait`, a Kustomization with `wait: true` and Argo CD make of an object: the rules of kstatus for custom resources. */
function kstatus({ metadata, status = {} }: RawObject): Verdict {
  const is = (type: string): string | undefined =>
    status.conditions?.find((condition) => condition.type === type)?.status;
  if (status.observedGeneration !== undefined && status.observedGeneration !== metadata.generation) return "InProgress";
  if (is("Stalled") === "True") return "Failed";
  if (is("Reconciling") === "True") return "InProgress";
  return is("Ready") === undefined || is("Ready") === "True" ? "Current" : "InProgress";
}

const negative = new Set(["FetchFailed", "StorageOperationFailed", "ArtifactOutdated", "Stalled", "Reconciling"]);

interface View {
  readonly conditions: NonNullable<ArtifactRepositoryStatus["conditions"]>;
  readonly observed: number;
  readonly generation: number;
  /** Status of a condition; undefined where it is absent. */
  readonly is: (type: string) => string | undefined;
}

/** What Flux's own controllers keep to, at any time. */
const always: Readonly<Record<string, (view: View) => boolean>> = {
  "Ready is there": ({ is }) => is("Ready") !== undefined,
  "one type is there once": ({ conditions }) => new Set(conditions.map(({ type }) => type)).size === conditions.length,
  "Reconciling and Stalled exclude each other": ({ is }) => !(is("Reconciling") === "True" && is("Stalled") === "True"),
  "Stalled means that Ready is False": ({ is }) => is("Stalled") !== "True" || is("Ready") === "False",
  "what was observed is no later than what is": ({ observed, generation }) => observed <= generation,
  "Ready is Unknown only while Reconciling": ({ is }) => is("Ready") !== "Unknown" || is("Reconciling") === "True",
  "what may be absent is True": ({ conditions }) =>
    conditions.every(({ type, status }) => !negative.has(type) || status === "True"),
  "what is not Ready goes on or has stalled": ({ is }) =>
    is("Ready") === "True" || is("Reconciling") === "True" || is("Stalled") === "True",
  "what has stalled was observed": ({ is, observed, generation }) =>
    is("Stalled") !== "True" || observed === generation,
};

/** And at the end of a reconcile. */
const inTheEnd: typeof always = {
  ...always,
  "nothing is wrong while Ready": ({ is, conditions }) =>
    is("Ready") !== "True" || !conditions.some(({ type }) => negative.has(type)),
  "Reconciling means that Ready is False": ({ is }) => is("Reconciling") !== "True" || is("Ready") === "False",
  "Ready is of this generation": ({ is, observed, generation }) => is("Ready") !== "True" || observed === generation,
  "conditions are of this generation while Ready": ({ is, conditions, generation }) =>
    is("Ready") !== "True" || conditions.every(({ observedGeneration }) => observedGeneration === generation),
};

/** The rules that a status breaks. */
function broken({ metadata, status = {} }: RawObject, rules = inTheEnd): string[] {
  const { conditions = [], observedGeneration: observed = -1 } = status;
  const is = (type: string): string | undefined => conditions.find((condition) => condition.type === type)?.status;
  const view: View = { conditions, observed, generation: metadata.generation ?? 0, is };
  return Object.entries(rules).flatMap(([rule, holds]) => (holds(view) ? [] : [rule]));
}

let registry: TestRegistry;
let controller: TestReconciler;
let failure: CodedError | undefined;
beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  failure = undefined;
  const { sources } = controller.deps;
  const open: typeof sources.open = async (...args) => {
    if (failure) throw failure;
    return await sources.open(...args);
  };
  Object.assign(controller.deps, { sources: { ...sources, open } });
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const spec = (more: object = {}): object => specOf(registry, "flux/app", more);
const object = async (): Promise<RawObject> => (await controller.get("app"))!;

describe("the status", () => {
  it("leads from nothing through every failure to Ready, by the rules", async () => {
    await controller.apply("app", spec());
    const verdicts: Record<Verdict, ErrorCode[]> = { Current: [], InProgress: [], Failed: [] };
    for (const code of Object.keys(failurePolicies) as ErrorCode[]) {
      failure = new CodedError(code, `failed by ${code}`);
      await controller.reconcile("app");
      expect([code, broken(await object())]).toEqual([code, []]);
      verdicts[kstatus(await object())].push(code);
    }
    failure = undefined;
    await controller.reconcile("app");
    expect([kstatus(await object()), broken(await object())]).toEqual(["Current", []]);
    const stalling = Object.entries(failurePolicies).flatMap(([code, { next }]) => (next === "stall" ? [code] : []));
    expect(verdicts.Failed).toEqual(stalling);
    expect(verdicts.Current).toEqual([]);
  });

  it.each([
    ["an edit that works", { ref: { tag: "1.1.0" } }, "Current"],
    ["an edit that makes no sense", { interval: "often" }, "Failed"],
    ["a tag that does not exist", { ref: { tag: "none" } }, "InProgress"],
  ] as const)("after %s is by the rules", async (_, change, verdict) => {
    await controller.apply("app", spec());
    await controller.reconcile("app");
    await controller.apply("app", spec(change));
    expect(kstatus(await object())).toBe("InProgress");
    await controller.reconcile("app");
    expect([kstatus(await object()), broken(await object())]).toEqual([verdict, []]);
  });

  it.each([
    ["of a new object", false],
    ["of one that was ready", true],
  ])("%s says that it takes long, and is by the rules meanwhile", async (_, wasReady) => {
    const seen: RawObject[] = [];
    if (wasReady) {
      await controller.apply("app", spec());
      await controller.reconcile("app");
    }
    Object.assign(controller.deps, { settings: { ...controller.deps.settings, progressAfterMs: 1 } });
    registry.faults.add({ path: /manifests/, delayMs: 100 });
    await controller.apply("app", spec({ ref: { tag: "1.1.0" } }));
    const patch = controller.kube.patch.bind(controller.kube);
    Object.assign(controller.kube, {
      patch: async (...args: Parameters<typeof patch>) => {
        const written = await patch(...args);
        if (args[0] === artifactRepositories) seen.push(written);
        return written;
      },
    });
    await controller.reconcile("app");
    expect(seen.length).toBe(2);
    expect(seen.map((state) => kstatus(state))).toEqual(["InProgress", "Current"]);
    expect(seen.map((state, at) => broken(state, at === 0 ? always : inTheEnd))).toEqual([[], []]);
  });
});
