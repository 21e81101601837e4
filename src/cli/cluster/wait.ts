import { setTimeout as sleep } from "node:timers/promises";
import { parseDuration } from "../../../api/v1beta1/duration.ts";
import { cliDefaults } from "../../config.ts";
import { findCondition } from "../../kube/conditions.ts";
import { CodedError, codeOf } from "../../errors.ts";
import { type Cluster, type ClusterObject, getObject } from "./session.ts";
import { oneLine } from "../../text/printable.ts";
import { readyOf } from "./text.ts";
import { UsageError } from "../command.ts";

export interface WaitOptions {
  /** The token of `requestReconcile` that has to be handled; undefined waits for the generation alone. */
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  /** Called with the Ready message whenever it changes. */
  readonly onProgress: (message: string) => void;
}

/** @throws UsageError */
export function parseTimeout(value: string): number {
  const parsed = parseDuration(value);
  if (parsed === undefined || parsed === 0)
    throw new UsageError(`--timeout is "${value}"; write a duration such as 90s or 5m`);
  return parsed;
}

/**
 * Waits until the controller has acted: the object is ready, or it is not and says why. An API server that cannot be
 * reached for a moment is asked again.
 * @throws NotFound, Aborted (also when the time is up), AccessDenied
 */
export async function waitForReconcile(
  cluster: Cluster,
  name: string,
  options: WaitOptions,
  signal: AbortSignal,
): Promise<ClusterObject> {
  const until = performance.now() + options.timeoutMs;
  let said = "";
  for (;;) {
    const object = await poll(cluster, name, signal);
    if (object !== undefined && isSettled(object, options.token)) return object;
    const message = messageOf(object) || said;
    if (message !== said) options.onProgress(message);
    said = message;
    if (performance.now() >= until) throw timeUp(name, options.timeoutMs, said);
    await pause(signal);
  }
}

function messageOf(object: ClusterObject | undefined): string {
  return oneLine(readyOf(object?.status)?.message ?? "");
}

function timeUp(name: string, timeoutMs: number, said: string): CodedError {
  const last = said === "" ? "it has said nothing" : `it said last: ${said}`;
  return new CodedError(
    "Aborted",
    `ArtifactRepository ${name} is not reconciled after ${timeoutMs / 1000} s; is the controller running? ${last}`,
  );
}

async function poll(cluster: Cluster, name: string, signal: AbortSignal): Promise<ClusterObject | undefined> {
  try {
    return await getObject(cluster, name, signal);
  } catch (error) {
    if (codeOf(error) === "KubeUnreachable") return undefined;
    throw error;
  }
}

async function pause(signal: AbortSignal): Promise<void> {
  await sleep(cliDefaults.pollMs, undefined, { signal }).catch((error: unknown) => {
    throw new CodedError("Aborted", "stopped while waiting", { cause: error });
  });
}

/** The controller has seen the request and this generation, and has come to an end with it. */
function isSettled({ metadata, status = {} }: ClusterObject, token: string | undefined): boolean {
  const ready = readyOf(status);
  if (ready === undefined || ready.status === "Unknown") return false;
  if (token !== undefined && status.lastHandledReconcileAt !== token) return false;
  if (metadata.generation !== (ready.observedGeneration ?? status.observedGeneration)) return false;
  return findCondition(status.conditions ?? [], "Reconciling")?.reason !== "Progressing";
}
