import type { Condition } from "../../../api/v1beta1/status.ts";

/** What to do where a condition of the type is the wrong way round. */
const byType: Readonly<Record<string, string>> = {
  Stalled:
    "nothing is tried again before the spec or what is upstream changes: change the line above, or ask for a try with strata reconcile",
  Reconciling: "wait: the controller is at work, or tries again by itself",
  ArtifactOutdated: "the last good artifact stays served until a newer one is made",
  StorageOperationFailed: "look at the volume of the controller: its space and its rights",
  SourceVerified: "let the signature be made by a key or identity that verify names, or correct verify",
  Published: "look at the target that the message names: its rights, and whether somebody else owns it",
};

/** The same for Ready and FetchFailed, by who has to act. */
const byReason: Readonly<Record<string, string>> = {
  AuthenticationFailed:
    "make the Secret or entry that the message names, or let the cloud give credentials; the object wakes when it is there",
  URLInvalid: "correct url or ref in the spec",
  InvalidSpec: "correct the field that the message names",
  OCIArtifactPullFailed:
    "it is tried again by itself; where credentials were refused, renew the entry that the message names; strata doctor tells what the registry wants",
  OCIArtifactLayerOperationFailed: "choose another layer or operation, or have the artifact pushed anew",
  NoTagMatch: "widen the range or pattern of ref, or push such a tag",
  DependencyNotReady: "make what the message names; the object wakes when it is there",
};

/** Types that are good news where they are True. */
const positive: ReadonlySet<string> = new Set(["Ready", "SourceVerified", "Published", "ArtifactInStorage"]);

/** What to do about a condition; undefined where nothing has to be done. */
export function adviceFor({ type, status, reason }: Condition, isStalled: boolean): string | undefined {
  if (status !== (positive.has(type) ? "False" : "True")) return undefined;
  const other = isStalled ? "change what the message names" : "it is tried again by itself";
  return byType[type] ?? byReason[reason] ?? other;
}
