import type { ArtifactRepositoryStatus, Condition } from "../../../api/v1beta1/status.ts";
import { findCondition } from "../../kube/conditions.ts";
import { plain } from "../terminal.ts";

export function readyOf(status: ArtifactRepositoryStatus | undefined): Condition | undefined {
  return findCondition(status?.conditions ?? [], "Ready");
}

/** Why an object is not ready: Ready has the short form, the condition that it stalled or failed by has the whole. */
export function wholeMessage({ conditions = [] }: ArtifactRepositoryStatus): string {
  const ready = findCondition(conditions, "Ready")?.message ?? "";
  const failed = conditions.find(
    ({ type, status }) => status === "True" && ["Stalled", "FetchFailed", "StorageOperationFailed"].includes(type),
  );
  const told = failed ?? conditions.find(({ type, status }) => status === "False" && type !== "Ready");
  return told !== undefined && told.message.length > ready.length ? told.message : ready;
}

/** `1.4.0@sha256:6e5d3c1b`, as flux shows revisions. */
export function shortRevision(revision: string | undefined): string {
  return (revision ?? "").replace(/(sha256|sha512):([a-f0-9]{8})[a-f0-9]*/, "$1:$2");
}

/** A message that may have several lines, each made safe and indented. */
export function indented(message: string, by = "  "): string {
  return message
    .trimEnd()
    .split("\n")
    .map((line) => `${by}${plain(line)}\n`)
    .join("");
}

/** Below how many seconds a unit is used, its seconds and its sign. */
const ageUnits = [
  { below: 120, seconds: 1, sign: "s" },
  { below: 120 * 60, seconds: 60, sign: "m" },
  { below: 48 * 3600, seconds: 3600, sign: "h" },
  { below: Infinity, seconds: 86_400, sign: "d" },
] as const;

/** `5m`, `3h`, `12d`: how long ago something was, as kubectl shows it. Empty for what is not a time. */
export function ageOf(time: string | undefined, now = Date.now()): string {
  const age = Math.max(0, (now - Date.parse(time ?? "")) / 1000);
  const unit = ageUnits.find(({ below }) => age < below);
  return unit === undefined ? "" : `${Math.floor(age / unit.seconds)}${unit.sign}`;
}

/** `True` and `False`, as Flux's tables have them. */
export function booleanText(value: boolean | undefined): string {
  return value === true ? "True" : "False";
}

/** `tag 1.4.0`, `semver >=1.0.0`, as a spec's `ref` says it. */
export function referenceText(ref: object = {}): string {
  const fields = Object.entries(ref).map(
    ([field, value]) => `${field} ${typeof value === "string" ? value : JSON.stringify(value)}`,
  );
  return fields.join(", ") || "tag latest";
}
