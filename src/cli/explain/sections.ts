import type { CodedError } from "../../errors.ts";
import { findCondition } from "../../kube/conditions.ts";
import { formatVersion } from "../../oci/reference.ts";
import type { Selection } from "../../select/selection.ts";
import { counted } from "../../text/count.ts";
import type { Tone } from "../screen.ts";
import { formatBytes } from "../output.ts";
import { ageOf, referenceText, shortRevision } from "../cluster/text.ts";
import { leftOutText } from "../left-out.ts";
import { causeOf, explainedConditions, type Explanation } from "./explanation.ts";
import type { Cell } from "../terminal.ts";

/** A part of the view: the same on a terminal and on a page. */
export interface Section {
  readonly title: string;
  readonly tone?: Tone | undefined;
  /** The first row is the head where `hasHead` is set. */
  readonly rows?: readonly (readonly (string | Cell)[])[];
  readonly hasHead?: boolean;
  readonly lines?: readonly (string | Cell)[];
  /** Text to copy as it is. */
  readonly copy?: string | undefined;
}

type Part = (explanation: Explanation) => Section[];

/** What fails and the line to change come first; every other part is there whatever the state is. */
export function sectionsOf(explanation: Explanation): Section[] {
  const parts: Part[] = [head, resolved, selection, published, consumers, conditions, events, notes];
  return parts.flatMap((part) => part(explanation));
}

const readyTones: Readonly<Record<string, Tone>> = { True: "good", False: "bad", Unknown: "warn" };

const head: Part = (explanation) => {
  const { metadata, spec } = explanation.object;
  const suspended = spec?.suspend === true ? ["it is suspended: strata resume starts it again"] : [];
  const cause = causeOf(explanation);
  if (cause === undefined) return [{ ...goodHead(explanation), lines: suspended }];
  const wrong: Section = {
    title: `${metadata.namespace}/${metadata.name} is not ready: ${cause.reason}`,
    tone: "bad",
    lines: [...cause.message.trimEnd().split("\n"), ...suspended],
  };
  if (cause.change === undefined) return [wrong];
  const edit = `kubectl -n ${metadata.namespace} edit artifactrepository ${metadata.name}`;
  return [wrong, { title: `What to change, by ${edit}`, tone: "strong", copy: cause.change }];
};

function goodHead({ object: { metadata, status } }: Explanation): Section {
  const name = `${metadata.namespace}/${metadata.name}`;
  const isReady = findCondition(status?.conditions ?? [], "Ready")?.status === "True";
  if (isReady) return { title: `${name} is ready`, tone: "good" };
  return { title: `${name} is not reconciled yet; is the controller running?`, tone: "warn" };
}

const resolved: Part = ({ object: { spec = {}, status = {} }, artifact: { resolved: now } }) => {
  const { upstream, artifact } = status;
  const hasMoved = upstream !== undefined && now !== undefined && upstream.digest !== now.root.digest;
  const rows: [string, string | undefined][] = [
    ["URL", spec.url],
    ["Reference", referenceText(spec.ref)],
    ["Resolved to", upstream && formatVersion(upstream)],
    ["Now", now && formatVersion({ tag: now.tag, digest: now.root.digest })],
    ["", hasMoved ? "the registry has something newer than what is stored" : undefined],
    ["Revision", artifact?.revision],
    ["Stored", artifact && storedText(artifact)],
  ];
  const known = rows.filter((row): row is [string, string] => row[1] !== undefined);
  return [{ title: "Upstream", rows: known }];
};

function storedText({ lastUpdateTime, size }: { lastUpdateTime: string; size?: number | undefined }): string {
  return `${size === undefined ? "" : `${formatBytes(size)}, `}${ageOf(lastUpdateTime)} ago`;
}

const maxDecisions = 200;

const selection: Part = ({ object, artifact }) => {
  const { decisions, selection: taken, failure } = artifact;
  const rows = decisions.slice(0, maxDecisions).map(({ kind, digest, depth, label, taken: isTaken, reason }): Cell => {
    const indent = "  ".repeat(depth + (kind === "layer" ? 1 : 0));
    const text = `${isTaken ? "+" : "-"} ${indent}${kind} ${digest.slice(0, 19)}  ${label}: ${reason}`;
    return { text, tone: isTaken ? "good" : "faint" };
  });
  const more = decisions.length - rows.length;
  const outcome = taken === undefined ? refusedText(failure) : takenText(taken);
  const skipped = leftOutText(object.status?.selected?.skipped ?? {});
  return [
    {
      title: "Taken (+) and why the rest is not (-)",
      lines: [
        ...rows,
        ...(more > 0 ? [`and ${more} more; -o json has them all`] : []),
        outcome,
        ...(skipped === "" ? [] : [`left out of what was taken: ${skipped}`]),
      ],
    },
  ];
};

function takenText({ operation, layers, profile, note }: Selection): string {
  return `${operation} of ${counted(layers.length, "layer")}${profile === undefined ? "" : `, as ${profile}`}${note === undefined ? "" : `; ${note}`}`;
}

function refusedText(failure: CodedError | undefined): string {
  return `nothing can be taken now: ${failure?.message.split("\n", 1)[0] ?? ""} [${failure?.code ?? ""}]`;
}

const published: Part = ({ object: { status } }) => {
  const rows = (status?.published ?? []).map(({ kind, name, url, digest, tags }) => [
    kind,
    name ?? url ?? "",
    [digest, tags?.join(", ")].filter((part) => part !== undefined && part !== "").join("  "),
  ]);
  return [rows.length === 0 ? { title: "Published", lines: ["nothing yet"] } : { title: "Published", rows }];
};

const consumers: Part = ({ consumers: { items }, object }) => {
  if (items.length === 0) return [{ title: "Consumers", lines: ["none that could be read names it"] }];
  const current = object.status?.artifact?.revision;
  const rows = items.map(({ kind, namespace, name, field, names, ready, revision, message }) => [
    `${kind} ${namespace}/${name}`,
    names === "ArtifactRepository" ? `${field}: write kind: ExternalArtifact` : `${field}: ${names}`,
    { text: ready, tone: readyTones[ready] },
    revision === undefined ? "" : `${shortRevision(revision)}${revision === current ? "" : " (not this revision)"}`,
    message,
  ]);
  return [{ title: "Consumers", hasHead: true, rows: [["WHO", "BY", "READY", "APPLIED", "MESSAGE"], ...rows] }];
};

const conditions: Part = ({ object }) => {
  const all = explainedConditions(object);
  const rows = all.map(({ condition: { type, status, reason, lastTransitionTime }, advice }) => [
    type,
    { text: status, tone: advice === undefined ? undefined : ("bad" as const) },
    reason,
    ageOf(lastTransitionTime),
    advice ?? "",
  ]);
  if (rows.length === 0) return [{ title: "Conditions", lines: ["none: no controller has seen it yet"] }];
  return [{ title: "Conditions", hasHead: true, rows: [["TYPE", "STATUS", "REASON", "AGE", "WHAT TO DO"], ...rows] }];
};

const events: Part = ({ events: list }) => {
  if (list === undefined) return [{ title: "Events", lines: ["may not be read with these credentials"] }];
  if (list.length === 0) return [{ title: "Events", lines: ["none"] }];
  const rows = list.map(({ type, reason, lastTimestamp, count, message }) => [
    `${ageOf(lastTimestamp)} ago${count > 1 ? `, ${count} times` : ""}`,
    { text: type, tone: type === "Warning" ? ("warn" as const) : undefined },
    reason,
    message.split("\n", 1)[0]!,
  ]);
  return [{ title: "Events", rows }];
};

const notes: Part = ({ artifact, consumers: { problems } }) => {
  const lines = [...artifact.notes, ...problems];
  return lines.length === 0 ? [] : [{ title: "What could not be read", lines }];
};
