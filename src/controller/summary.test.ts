import { assert, constantFrom, property, string } from "fast-check";
import { describe, expect, it } from "vitest";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { failurePolicies } from "./policy.ts";
import { withSummary } from "./summary.ts";

type Conditions = Readonly<Record<string, readonly [status: "True" | "False" | "Unknown", reason?: string]>>;

function statusOf(conditions: Conditions, rest: ArtifactRepositoryStatus = {}): ArtifactRepositoryStatus {
  const rows = Object.entries(conditions).map(([type, [status, reason = "Succeeded"]]) => ({
    type,
    status,
    reason,
    message: "m",
    lastTransitionTime: "2026-01-01T00:00:00Z",
  }));
  return { ...rest, conditions: rows };
}

const hex = "6e5d4c3b".repeat(8);
const artifact = (revision: string) => ({
  path: "p",
  url: "http://host/p",
  revision,
  digest: `sha256:${hex}`,
  lastUpdateTime: "2026-01-01T00:00:00Z",
});
const layer = (manifest: string) => ({ digest: "sha256:0", mediaType: "m", size: 1, offset: 0, manifest });

describe("withSummary", () => {
  it.each<[string, Conditions]>([
    ["stored", { Ready: ["True"], ArtifactInStorage: ["True"] }],
    ["stored; a newer one waits", { Ready: ["True"], ArtifactOutdated: ["True", "TooYoung"] }],
    ["stored; in progress", { Ready: ["True"], ArtifactOutdated: ["True"], Reconciling: ["True"] }],
    ["in progress", { Ready: ["Unknown", "Progressing"], Reconciling: ["True"] }],
    ["retrying: AuthenticationFailed", { Ready: ["False", "AuthenticationFailed"], Reconciling: ["True"] }],
    ["stalled: NoLayerMatch", { Ready: ["False", "NoLayerMatch"], Stalled: ["True"] }],
    ["stalled: LayerOperationFailed", { Ready: ["False", "OCIArtifactLayerOperationFailed"], Stalled: ["True"] }],
  ])("says %s", (state, conditions) => {
    expect(withSummary(statusOf(conditions)).summary).toEqual({ state });
  });

  it.each([
    [`1.4.0@sha256:${hex}`, "1.4.0@sha256:6e5d4c3b"],
    [`sha256:${hex}`, "sha256:6e5d4c3b"],
    [`sha512:${hex}${hex}`, "sha512:6e5d4c3b"],
    [`${"a".repeat(128)}@sha256:${hex}`, `${"a".repeat(20)}…@sha256:6e5d4c3b`],
  ])("shortens the revision %s", (revision, short) => {
    expect(withSummary({ artifact: artifact(revision) }).summary).toEqual({ revision: short });
  });

  it.each<[string, ArtifactRepositoryStatus["selected"]]>([
    ["1 layer", { operation: "Extract", layerCount: 1, layers: [layer("a")] }],
    ["2 layers", { operation: "ExtractAll", layerCount: 2, layers: [layer("a"), layer("a")] }],
    ["2 layers of 2 manifests", { operation: "ExtractAll", layerCount: 2, layers: [layer("a"), layer("b")] }],
    ["60 layers", { operation: "ExtractAll", layerCount: 60, layers: [layer("a"), layer("b")] }],
    ["1 layer (helm-chart)", { operation: "Copy", layerCount: 1, layers: [layer("a")], profile: "helm-chart" }],
  ])("sums the selection up as %s", (selected, status) => {
    expect(withSummary({ selected: status! }).summary).toEqual({ selected });
  });

  it("goes with what it was made from, and is made anew", () => {
    expect(withSummary({ summary: { state: "stored", revision: "old" } })).toEqual({});
    expect(withSummary({ ...statusOf({ Ready: ["True"] }), summary: { revision: "old" } }).summary).toEqual({
      state: "stored",
    });
  });

  it("leaves a row of 120 characters to a name of 28, whatever fails and whatever the tag", () => {
    const reasons = [...new Set(Object.values(failurePolicies).map(({ reason }) => reason))];
    const text = string({ unit: "binary", maxLength: 300 });
    assert(
      property(constantFrom("Stalled", "Reconciling"), constantFrom(...reasons), text, (type, reason, tag) => {
        const conditions = statusOf({ Ready: ["False", reason], [type]: ["True"] });
        const { summary } = withSummary({ ...conditions, artifact: artifact(`${tag}@sha256:${hex}`) });
        expect(summary?.state?.replace(/^\w+: /, "")).toBe(reason.replace(/^OCIArtifact/, ""));
        const row = [" ".repeat(28), "False", summary!.state, summary!.revision, "120m"];
        expect(row.join("   ").length).toBeLessThanOrEqual(120);
      }),
      { numRuns: 300 },
    );
  });
});
