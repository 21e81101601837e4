import { titleKey } from "../../oci/annotations.ts";
import { stringify } from "yaml";
import { isSelection, type Explored } from "../../explore/explore.ts";
import type { IndexEntry, LayerEntry, ManifestEntry, ReferrerEntry, TreeEntry } from "../../explore/tree.ts";
import type { Annotations } from "../../oci/types.ts";
import { formatBytes } from "../output.ts";
import { telling } from "./annotations.ts";
import { plain } from "../terminal.ts";

/** Rows of one kind under one manifest; the rest is counted. */
const maxRows = 60;
const maxText = 100;

/** One line and what hangs below it. */
export interface Branch {
  readonly text: string;
  readonly below?: readonly Branch[];
}

/** The tree with box characters; `*` marks what is taken without any selector. */
export function treeLines(reference: string, tree: TreeEntry): string[] {
  const root = branchOf(tree);
  return [reference, root.text, ...drawBelow(root.below ?? [], "")].map(plain);
}

/** What a build would take of it, or the lines that it needs first. */
export function outcomeLines({ outcome }: Explored): string[] {
  if (isSelection(outcome)) {
    const { layers, operation, profile, note } = outcome;
    const what = `${layers.length} ${layers.length === 1 ? "layer" : "layers"}, ${operation}${profile === undefined ? "" : `, because its layout is ${profile}`}`;
    return [`* taken without any selector: ${what}${note === undefined ? "" : `; ${note}`}`].map(plain);
  }
  if (outcome.suggestion === undefined)
    return [`Nothing is taken without a selector: ${firstLine(outcome.message)}`].map(plain);
  return [
    `Nothing is taken without a selector: ${firstLine(outcome.message).replace(/:$/, "")}. A spec could say`,
    ...stringify(outcome.suggestion, { lineWidth: 0 })
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`),
  ].map(plain);
}

export function drawBelow(branches: readonly Branch[], indent: string): string[] {
  return branches.flatMap(({ text, below }, at) => {
    const isLast = at === branches.length - 1;
    return [
      `${indent}${isLast ? "└─ " : "├─ "}${text}`,
      ...drawBelow(below ?? [], `${indent}${isLast ? "   " : "│  "}`),
    ];
  });
}

function branchOf(entry: TreeEntry): Branch {
  if (entry.kind === "index") return indexBranch(entry);
  if (entry.kind === "manifest") return manifestBranch(entry);
  const { kind, digest, artifactType, mediaType, problem, platform } = entry;
  const why = {
    repeated: "(shown above)",
    foreign: "(neither manifest nor index)",
    unread: `! ${problem?.code}: ${firstLine(problem?.message ?? "")}`,
  }[kind];
  return { text: cells("•", short(digest), artifactType ?? mediaType, platform, why) };
}

function indexBranch({ digest, artifactType, platform, size, annotations, manifests, referrers }: IndexEntry): Branch {
  return {
    text: cells("index", short(digest), artifactType, platform, formatBytes(size)),
    below: [...annotationBranches(annotations), ...capped(manifests, branchOf), ...capped(referrers, referrerBranch)],
  };
}

function manifestBranch({
  digest,
  artifactType,
  platform,
  size,
  layout,
  selected,
  config,
  subject,
  ...entry
}: ManifestEntry): Branch {
  const about = subject === undefined ? [] : [{ text: cells("subject", short(subject)) }];
  const configText = cells(
    config.selected ? "* config" : "config",
    config.mediaType,
    formatBytes(config.size),
    short(config.digest),
  );
  return {
    text: cells(
      selected ? "* manifest" : "manifest",
      short(digest),
      artifactType,
      platform,
      formatBytes(size),
      layout && `[${layout}]`,
    ),
    below: [
      ...annotationBranches(entry.annotations),
      ...about,
      { text: configText },
      ...capped(entry.layers, layerBranch),
      ...capped(entry.referrers, referrerBranch),
    ],
  };
}

function layerBranch({ offset, title, mediaType, size, digest, annotations, selected }: LayerEntry): Branch {
  const { [titleKey]: _, ...others } = annotations ?? {};
  return {
    text: cells(`${selected ? "* " : ""}layer ${offset}`, title, mediaType, formatBytes(size), short(digest)),
    below: annotationBranches(others),
  };
}

function referrerBranch({ digest, artifactType, mediaType, meaning, tag, size }: ReferrerEntry): Branch {
  return {
    text: cells(
      "←",
      meaning,
      tag === undefined ? (artifactType ?? mediaType) : "by tag",
      formatBytes(size),
      short(digest),
    ),
  };
}

function annotationBranches(annotations: Annotations | undefined): Branch[] {
  const shown = telling(annotations);
  return shown.length === 0 ? [] : [{ text: shown.map(([key, value]) => `${key}=${value}`).join("  ") }];
}

export function capped<T>(rows: readonly T[], draw: (row: T) => Branch): Branch[] {
  const more = rows.length - maxRows;
  return [...rows.slice(0, maxRows).map(draw), ...(more > 0 ? [{ text: `and ${more} more` }] : [])];
}

export function cells(...parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part !== undefined && part !== "")
    .map((part) => cut(part!))
    .join("  ");
}

function cut(text: string): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}

/** `sha256:0123456789ab`, enough to find it by. */
function short(digest: string): string {
  return digest.slice(0, digest.indexOf(":") + 13);
}
