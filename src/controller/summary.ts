import { ConditionType } from "../../api/v1beta1/conditions.ts";
import type { ArtifactRepositoryStatus, SelectedStatus, StatusSummary } from "../../api/v1beta1/status.ts";
import { isConditionTrue } from "../kube/conditions.ts";
import { counted } from "../text/count.ts";
import { printable } from "../text/printable.ts";

/** Longest tag and longest name of a layout in a column: a row of `kubectl get` takes 120 characters. */
const maxTag = 20;
const maxProfile = 32;
const maxReason = 22;

/** `status` with its summary, made from nothing but the rest of it, so that the two cannot disagree. */
export function withSummary(status: ArtifactRepositoryStatus): ArtifactRepositoryStatus {
  const { summary: _, ...rest } = status;
  const summary = summaryOf(rest);
  return Object.keys(summary).length === 0 ? rest : { ...rest, summary };
}

function summaryOf(status: ArtifactRepositoryStatus): StatusSummary {
  const state = stateOf(status);
  return {
    ...(state !== undefined && { state }),
    ...(status.artifact && { revision: shortRevision(status.artifact.revision) }),
    ...(status.selected && { selected: shortSelection(status.selected) }),
  };
}

function stateOf({ conditions = [] }: ArtifactRepositoryStatus): string | undefined {
  const ready = conditions.find(({ type }) => type === ConditionType.Ready);
  const isTrue = (wanted: string): boolean => isConditionTrue(conditions, wanted);
  if (ready === undefined) return undefined;
  if (ready.status === "Unknown") return "in progress";
  if (ready.status === "False") {
    // Flux's reasons begin with what every object here is about.
    const reason = printable(ready.reason.replace(/^OCIArtifact/, ""), maxReason);
    return `${isTrue(ConditionType.Stalled) ? "stalled" : "retrying"}: ${reason}`;
  }
  if (isTrue(ConditionType.Reconciling)) return "stored; in progress";
  return isTrue(ConditionType.ArtifactOutdated) ? "stored; a newer one waits" : "stored";
}

/** `1.4.0@sha256:6e5d4c3b` */
function shortRevision(revision: string): string {
  const at = revision.indexOf("@");
  const [algorithm = "", hex = ""] = revision.slice(at + 1).split(":");
  const tag = at < 0 ? "" : `${printable(revision.slice(0, at), maxTag)}@`;
  return `${tag}${printable(algorithm, 6)}:${printable(hex, 64).slice(0, 8)}`;
}

/** `2 layers of 2 manifests (timoni)`. Manifests are counted only where every layer has its row. */
function shortSelection({ layerCount, layers = [], profile }: SelectedStatus): string {
  const manifests = layers.length === layerCount ? new Set(layers.map(({ manifest }) => manifest)).size : 0;
  const of = manifests > 1 ? ` of ${manifests} manifests` : "";
  const known = profile === undefined ? "" : ` (${printable(profile, maxProfile)})`;
  return `${counted(layerCount, "layer")}${of}${known}`;
}
