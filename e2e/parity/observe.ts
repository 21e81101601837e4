import { createHash } from "node:crypto";
import { once } from "node:events";
import { Parser, type ReadEntry } from "tar";
import { download, type PublishedArtifact } from "../artifact.ts";
import type { ControlPlane } from "../controlplane.ts";
import { condition, hasArtifact, isReady, type KubeObject, type ObjectRef } from "../kube.ts";
import { eventually } from "../wait.ts";

/** What one controller made of its object at one step. */
export interface Observation {
  readonly ready: string;
  readonly reason: string;
  readonly message: string;
  /** `FetchFailed=True`, in order of their names. */
  readonly conditions: readonly string[];
  /** Path to content, and `*` where it is executable; the artifact itself under "" where it is not a tar.gz. */
  readonly files: Readonly<Record<string, string>> | undefined;
  readonly handledAt: string | undefined;
  /** Strata's alone, as is `selected`. */
  readonly tag: string | undefined;
  readonly selected:
    { readonly profile?: string; readonly operation?: string; readonly layerCount?: number } | undefined;
}

export interface Step {
  readonly suspended?: boolean;
  readonly requestedAt?: string;
}

/** Waits until the controller has said what it thinks of the present generation, and reads what it serves. */
export async function settled({ admin }: ControlPlane, ref: ObjectRef, step: Step = {}): Promise<Observation> {
  const object = await eventually(
    `${ref.kind} ${ref.name}`,
    async () => {
      const found = await admin.get(ref);
      if (!isSettled(found, step)) throw new Error(JSON.stringify({ metadata: found.metadata, status: found.status }));
      return found;
    },
    60_000,
    250,
  );
  return await observed(object);
}

function isSettled(object: KubeObject, { suspended = false, requestedAt }: Step): boolean {
  const { metadata, status } = object;
  const isCurrent = status?.["observedGeneration"] === metadata.generation;
  if (requestedAt !== undefined && status?.["lastHandledReconcileAt"] !== requestedAt) return false;
  if (suspended) return isCurrent;
  return hasJudged(object) && (isCurrent || !isReady(object));
}

/** Ready, with its artifact, or not, for the present generation. */
function hasJudged(object: KubeObject): boolean {
  const ready = condition(object, "Ready");
  if (ready?.observedGeneration !== object.metadata.generation) return false;
  return ready?.status === "True" ? hasArtifact(object) : ready?.status === "False";
}

const none = { status: "none", reason: "none", message: "" };

async function observed(object: KubeObject): Promise<Observation> {
  const { status = {} } = object;
  const { status: ready, reason, message } = condition(object, "Ready") ?? none;
  const artifact = status["artifact"] as PublishedArtifact | undefined;
  const conditions = (status["conditions"] ?? []) as { type: string; status: string }[];
  return {
    ready,
    reason,
    message,
    conditions: conditions.map((one) => `${one.type}=${one.status}`).sort(),
    files: artifact && (await filesOf(artifact)),
    handledAt: status["lastHandledReconcileAt"] as string | undefined,
    tag: (status["upstream"] as { tag?: string } | undefined)?.tag,
    selected: status["selected"] as Observation["selected"],
  };
}

const hashed = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex").slice(0, 16);

async function filesOf(artifact: PublishedArtifact): Promise<Record<string, string>> {
  const bytes = await download(artifact);
  if (bytes.readUInt16BE(0) !== 0x1f8b) return { "": hashed(bytes) };
  try {
    return await filesOfTar(bytes);
  } catch {
    return { "": hashed(bytes) };
  }
}

async function filesOfTar(bytes: Buffer): Promise<Record<string, string>> {
  const files: [string, string][] = [];
  const parser = new Parser({ strict: true });
  parser.on("entry", (entry: ReadEntry) => {
    const path = entry.path.replace(/^\.\//, "").replace(/\/$/, "");
    const hash = createHash("sha256");
    entry.on("data", (chunk: Buffer) => hash.update(chunk));
    entry.on("end", () => {
      if (entry.type === "Directory") return;
      const mark = ((entry.mode ?? 0) & 0o111) === 0 ? "" : "*";
      files.push([path, entry.type === "File" ? `${hash.digest("hex").slice(0, 16)}${mark}` : entry.type]);
    });
  });
  const ended = once(parser, "end");
  parser.end(bytes);
  await ended;
  return Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** `Warning OCIArtifactPullFailed` of every object of a kind, by its name. */
export async function eventsOf(
  { admin }: ControlPlane,
  kind: string,
  namespace: string,
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const byName = new Map<string, Set<string>>();
  for (const event of await admin.list("Event", namespace)) {
    const involved = event["involvedObject"] as { kind: string; name: string };
    if (involved.kind !== kind) continue;
    const seen = byName.get(involved.name) ?? new Set();
    byName.set(involved.name, seen.add(`${String(event["type"])} ${String(event["reason"])}`));
  }
  return byName;
}
