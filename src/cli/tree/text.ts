import { titleKey } from "../../oci/annotations.ts";
import { stringify } from "yaml";
import { isSelection, type Explored } from "../../explore/explore.ts";
import type { IndexEntry, LayerEntry, ManifestEntry, ReferrerEntry, TreeEntry } from "../../explore/tree.ts";
import type { Annotations } from "../../oci/types.ts";
import { formatBytes } from "../output.ts";
import { telling } from "./annotations.ts";
import { counted } from "../../text/count.ts";
import { printable } from "../../text/printable.ts";
import { plain } from "../terminal.ts";

/** How much of each thing is drawn. */
export interface Detail {
  /** How many rows of one kind are shown under one manifest; the rest is counted. */
  readonly maxRows: number;
  /** Characters of a text. */
  readonly maxText: number;
  /** Whether digests are whole, and every annotation is shown. */
  readonly isWhole: boolean;
}

export const brief: Detail = { maxRows: 60, maxText: 100, isWhole: false };
export const whole: Detail = { maxRows: Infinity, maxText: 4096, isWhole: true };

/** One line and what hangs below it. */
export interface Branch {
  readonly text: string;
  readonly below?: readonly Branch[];
}

/** The tree with box characters; `*` marks what is taken without any selector. */
export function treeLines(reference: string, tree: TreeEntry, detail: Detail = brief): string[] {
  const root = branchOf(tree, detail);
  return [reference, root.text, ...drawBelow(root.below ?? [], "")].map((line) => printable(line, 16 * detail.maxText));
}

/** What a build would take of it, or the lines that it needs first. */
export function outcomeLines({ outcome }: Explored): string[] {
  if (isSelection(outcome)) {
    const { layers, operation, profile, note } = outcome;
    const what = `${counted(layers.length, "layer")}, ${operation}${profile === undefined ? "" : `, because its layout is ${profile}`}`;
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

function branchOf(entry: TreeEntry, detail: Detail): Branch {
  if (entry.kind === "index") return indexBranch(entry, detail);
  if (entry.kind === "manifest") return manifestBranch(entry, detail);
  const { kind, digest, artifactType, mediaType, problem, platform } = entry;
  const why = {
    repeated: "(shown above)",
    foreign: "(neither manifest nor index)",
    unread: `! ${problem?.code}: ${firstLine(problem?.message ?? "")}`,
  }[kind];
  return { text: cells(detail, "•", short(detail, digest), artifactType ?? mediaType, platform, why) };
}

function indexBranch(entry: IndexEntry, detail: Detail): Branch {
  const { digest, artifactType, platform, size, annotations, manifests, referrers } = entry;
  return {
    text: cells(detail, "index", short(detail, digest), artifactType, platform, formatBytes(size)),
    below: [
      ...annotationBranches(annotations, detail),
      ...capped(manifests, branchOf, detail),
      ...capped(referrers, referrerBranch, detail),
    ],
  };
}

function manifestBranch(entry: ManifestEntry, detail: Detail): Branch {
  const { digest, artifactType, platform, size, layout, selected, config, subject } = entry;
  const about = subject === undefined ? [] : [{ text: cells(detail, "subject", short(detail, subject)) }];
  const configText = cells(
    detail,
    config.selected ? "* config" : "config",
    config.mediaType,
    formatBytes(config.size),
    short(detail, config.digest),
  );
  return {
    text: cells(
      detail,
      selected ? "* manifest" : "manifest",
      short(detail, digest),
      artifactType,
      platform,
      formatBytes(size),
      layout && `[${layout}]`,
    ),
    below: [
      ...annotationBranches(entry.annotations, detail),
      ...about,
      { text: configText },
      ...capped(entry.layers, layerBranch, detail),
      ...capped(entry.referrers, referrerBranch, detail),
    ],
  };
}

function layerBranch(entry: LayerEntry, detail: Detail): Branch {
  const { offset, title, mediaType, size, digest, annotations, selected } = entry;
  const { [titleKey]: _, ...others } = annotations ?? {};
  return {
    text: cells(
      detail,
      `${selected ? "* " : ""}layer ${offset}`,
      title,
      mediaType,
      formatBytes(size),
      short(detail, digest),
    ),
    below: annotationBranches(others, detail),
  };
}

function referrerBranch(entry: ReferrerEntry, detail: Detail): Branch {
  const { digest, artifactType, mediaType, meaning, tag, size } = entry;
  return {
    text: cells(
      detail,
      "←",
      meaning,
      tag === undefined ? (artifactType ?? mediaType) : "by tag",
      formatBytes(size),
      short(detail, digest),
    ),
  };
}

function annotationBranches(annotations: Annotations | undefined, { isWhole }: Detail): Branch[] {
  const shown = isWhole ? Object.entries(annotations ?? {}) : telling(annotations);
  return shown.length === 0 ? [] : [{ text: shown.map(([key, value]) => `${key}=${value}`).join("  ") }];
}

export function capped<T>(rows: readonly T[], draw: (row: T, detail: Detail) => Branch, detail: Detail): Branch[] {
  const { maxRows } = detail;
  const more = rows.length - maxRows;
  const drawn = rows.slice(0, maxRows).map((row) => draw(row, detail));
  return [...drawn, ...(more > 0 ? [{ text: `and ${more} more; --all shows them` }] : [])];
}

export function cells({ maxText }: Detail, ...parts: readonly (string | undefined)[]): string {
  return parts
    .filter((part) => part !== undefined && part !== "")
    .map((part) => cut(part!, maxText))
    .join("  ");
}

function cut(text: string, maxText: number): string {
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}

/** `sha256:0123456789ab`, enough to find it by. */
function short({ isWhole }: Detail, digest: string): string {
  return isWhole ? digest : digest.slice(0, digest.indexOf(":") + 13);
}
