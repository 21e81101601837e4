import type { ArtifactRepositoryStatus, Condition } from "../../api/v1beta1/status.ts";
import { findCondition } from "../kube/conditions.ts";
import { plain } from "./terminal.ts";

export function readyOf(status: ArtifactRepositoryStatus | undefined): Condition | undefined {
  return findCondition(status?.conditions ?? [], "Ready");
}

/** `1.4.0@sha256:6e5d3c1b`, as flux shows revisions. */
export function shortRevision(revision: string | undefined): string {
  return (revision ?? "").replace(/(sha256|sha512):([a-f0-9]{8})[a-f0-9]*/, "$1:$2");
}

/** A message in one line. */
export function oneLine(message: string): string {
  return message.replace(/\s+/g, " ").trim();
}

/** A message that may have several lines, each made safe and indented. */
export function indented(message: string, by = "  "): string {
  return message.trimEnd().split("\n").map((line) => `${by}${plain(line)}\n`).join("");
}

/** `5m`, `3h`, `12d`: how long ago something was, as kubectl shows it. */
export function ageOf(time: string | undefined, now = Date.now()): string {
  const from = Date.parse(time ?? "");
  if (Number.isNaN(from)) return "";
  const seconds = Math.max(0, Math.floor((now - from) / 1000));
  const units: [number, string][] = [[120, "s"], [120 * 60, "m"], [48 * 3600, "h"]];
  const divisors = [1, 60, 3600];
  const at = units.findIndex(([below]) => seconds < below);
  return at < 0 ? `${Math.floor(seconds / 86_400)}d` : `${Math.floor(seconds / divisors[at]!)}${units[at]![1]}`;
}

/** `True` and `False`, as Flux's tables have them. */
export function booleanText(value: boolean | undefined): string {
  return value === true ? "True" : "False";
}
