import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CodedError, type ErrorCode } from "../errors.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import { specOf } from "../testing/kube/spec.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";
import { failurePolicies, type FailurePolicy } from "./policy.ts";

const codes = Object.keys(failurePolicies) as ErrorCode[];
/** Nothing helps but an edit, or another content upstream. */
const hopeless: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "InvalidReference",
  "InvalidDigest",
  "InvalidSpec",
  "InvalidTemplate",
  "InvalidPattern",
  "EndpointRefused",
  "ManifestInvalid",
  "ManifestTooLarge",
  "IndexTooDeep",
  "TooManyManifests",
  "NoManifestMatch",
  "AmbiguousManifest",
  "NoLayerMatch",
  "AmbiguousLayer",
  "OffsetOutOfRange",
  "NotAnArchive",
  "ArchiveInvalid",
  "ArchiveUnsupported",
  "ArchiveUnsafePath",
  "ArchiveTooLarge",
  "ArchiveTooManyEntries",
  "ArchiveRatioExceeded",
  "PathConflict",
  "EmptyResult",
  "ComponentInvalid",
  "NoResourceMatch",
  "AmbiguousResource",
  "AccessUnsupported",
]);
/** Something else has to appear, and is looked for at an even pace. */
const patient: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "SecretNotFound",
  "SecretInvalid",
  "SigningFailed",
  "TooYoung",
  "NotOwned",
  "CrdMissing",
  "DependencyNotReady",
]);

let registry: TestRegistry;
let controller: TestReconciler;
let failure: CodedError | undefined;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  const { sources } = controller.deps;
  const open: typeof sources.open = async (...args) => {
    if (failure) throw failure;
    return await sources.open(...args);
  };
  Object.assign(controller.deps, { sources: { ...sources, open } });
});
afterAll(async () => {
  await controller.close();
  await registry.close();
});
beforeEach(() => {
  failure = undefined;
});

let count = 0;
async function apply(): Promise<string> {
  const name = `app-${++count}`;
  await controller.apply(name, specOf(registry, "flux/app"));
  return name;
}

/** What follows; when; Stalled; the reason of Reconciling; and whether this generation is dealt with. */
function expectedOf(code: ErrorCode): readonly unknown[] {
  if (hopeless.has(code)) return ["stall", { kind: "after", milliseconds: 600_000 }, "True", undefined, 1];
  const goingOn = [undefined, "ProgressingWithRetry", undefined];
  if (patient.has(code)) return ["wait", { kind: "after", milliseconds: 5000 }, ...goingOn];
  return ["retry", { kind: "retry", code, notBeforeMs: 7000 }, ...goingOn];
}

describe.each(codes)("%s", (code) => {
  const { condition, reason, next, isNamed }: FailurePolicy = failurePolicies[code];
  const isNegative = condition === "FetchFailed" || condition === "StorageOperationFailed";

  it("is in the status, and decides when the object is tried again", async () => {
    const name = await apply();
    failure = new CodedError(code, "so it is", { retryAfterMs: 7000 });
    const then = await controller.reconcile(name);
    const object = await controller.get(name);
    const message = isNamed ? `${code}: so it is` : "so it is";
    expect(conditionOf(object, "Ready")).toMatchObject({ status: "False", reason, message });
    expect(controller.events.at(-1)).toMatchObject({ type: "Warning", reason, message });
    expect(conditionOf(object, condition)).toMatchObject({ status: isNegative ? "True" : "False", reason });
    const outcome = [
      next,
      then,
      conditionOf(object, "Stalled")?.status,
      conditionOf(object, "Reconciling")?.reason,
      object?.status?.observedGeneration,
    ];
    expect(outcome).toEqual(expectedOf(code));
  });
});

it("no failure takes the artifact away, and each passes", async () => {
  const name = await apply();
  await controller.reconcile(name);
  const { artifact, url } = (await controller.get(name))!.status!;
  for (const code of codes) {
    failure = new CodedError(code, "so it is");
    await controller.reconcile(name);
    const object = await controller.get(name);
    expect(object?.status, code).toMatchObject({ artifact, url });
    expect(conditionOf(object, "ArtifactInStorage")?.status, code).toBe("True");
    expect((await fetch(artifact!.url)).status, code).toBe(200);
  }
  failure = undefined;
  await controller.reconcile(name);
  const object = await controller.get(name);
  expect(["Ready", "Stalled", "Reconciling", "FetchFailed"].map((type) => conditionOf(object, type)?.status)).toEqual([
    "True",
    undefined,
    undefined,
    undefined,
  ]);
});
