import { stringify } from "yaml";
import type { Condition } from "../../../api/v1beta1/status.ts";
import type { KubeEvent } from "../../kube/report/events.ts";
import { isObject } from "../../text/json.ts";
import { findCondition } from "../../kube/conditions.ts";
import { layerRow } from "../../pipeline/selected.ts";
import { fullName, type ClusterObject } from "../cluster/session.ts";
import { wholeMessage } from "../cluster/text.ts";
import { adviceFor } from "./advice.ts";
import type { ArtifactView } from "./artifact.ts";
import type { Consumers } from "./consumers.ts";

/** An object and its artifact, in one. */
export interface Explanation {
  readonly object: ClusterObject;
  readonly artifact: ArtifactView;
  readonly consumers: Consumers;
  /** Undefined where they may not be read. */
  readonly events: readonly KubeEvent[] | undefined;
}

/** What is wrong, and the line to change. */
export interface Cause {
  readonly reason: string;
  readonly message: string;
  /** YAML of the spec that decides; undefined where nothing in the spec does. */
  readonly change: string | undefined;
}

/** Why the object is not ready, or would not be any more; undefined where nothing is wrong. */
export function causeOf({ object, artifact }: Explanation): Cause | undefined {
  const conditions = object.status?.conditions ?? [];
  const ready = findCondition(conditions, "Ready");
  const { failure } = artifact;
  if (ready?.status === "True" || ready === undefined) return failure && causeByFailure(failure);
  return { reason: ready.reason, message: wholeMessage(object.status ?? {}), change: changeOf(failure) };
}

function causeByFailure(failure: NonNullable<ArtifactView["failure"]>): Cause {
  return { reason: failure.code, message: failure.message, change: changeOf(failure) };
}

function changeOf(failure: ArtifactView["failure"]): string | undefined {
  const suggestion = failure?.details?.["suggestion"];
  return isObject(suggestion) ? stringify({ spec: suggestion }, { lineWidth: 0 }).trimEnd() : undefined;
}

export interface ExplainedCondition {
  readonly condition: Condition;
  readonly advice: string | undefined;
}

export function explainedConditions({ status }: ClusterObject): ExplainedCondition[] {
  const conditions = status?.conditions ?? [];
  const isStalled = findCondition(conditions, "Stalled")?.status === "True";
  return conditions.map((condition) => ({ condition, advice: adviceFor(condition, isStalled) }));
}

/** The fixed form for programs. */
export function explanationDocument(explanation: Explanation): Record<string, unknown> {
  const { object, artifact, consumers, events } = explanation;
  const { published = [], artifact: stored = null, upstream = null } = object.status ?? {};
  return {
    name: fullName(object),
    namespace: object.metadata.namespace,
    cause: causeOf(explanation) ?? null,
    upstream,
    ...artifactDocument(artifact),
    artifact: stored,
    published,
    consumers: consumers.items,
    conditions: explainedConditions(object).map(({ condition, advice }) => Object.assign({ advice }, condition)),
    events: events ?? null,
    notes: [...artifact.notes, ...consumers.problems],
  };
}

function artifactDocument({ resolved, failure, decisions, selection }: ArtifactView): Record<string, unknown> {
  return {
    resolved: resolved
      ? { tag: resolved.tag ?? null, digest: resolved.root.digest, mediaType: resolved.root.mediaType }
      : null,
    failure: failure ? { code: failure.code, message: failure.message, ...failure.details } : null,
    decisions,
    selection: selection
      ? {
          operation: selection.operation,
          layout: selection.layout,
          profile: selection.profile ?? null,
          note: selection.note ?? null,
          layers: selection.layers.map(layerRow),
        }
      : null,
  };
}
