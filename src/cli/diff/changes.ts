import { FILE_HEADERS_ONLY, formatPatch, structuredPatch } from "diff";
import { stopIfAborted } from "../../errors.ts";
import { printable } from "../../text/printable.ts";
import type { Files, ListedFile } from "./files.ts";

/** One path that is not the same on both sides. */
export interface Change {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly before?: ListedFile | undefined;
  readonly after?: ListedFile | undefined;
  /** The unified diff of a text. */
  readonly diff?: string;
  /** Why there is none, where the contents differ. */
  readonly omitted?: string;
}

/** A longer text is named and not shown. Bytes. */
const maxFileBytes = 1024 * 1024;
/** The most that is read of each side, for all texts together. Bytes. */
const maxTotalBytes = 32 * 1024 * 1024;
/** Texts with more changed lines than this share nothing that is worth reading. */
const maxEdits = 5000;
const maxLine = 4096;

/** What differs, in byte order of the paths. @throws the reason of `signal`; what reading throws */
export async function changesBetween(a: Files, b: Files, signal: AbortSignal): Promise<Change[]> {
  const paths = [...new Set([...a.byPath.keys(), ...b.byPath.keys()])]
    .filter((path) => !isEqual(a.byPath.get(path), b.byPath.get(path)))
    .toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const shown = shownOf(paths, a, b);
  const [before, after] = [await a.read(shown.of(a)), await b.read(shown.of(b))];
  const changes: Change[] = [];
  for (const path of paths) {
    stopIfAborted(signal, "while comparing");
    const files = { before: a.byPath.get(path), after: b.byPath.get(path) };
    const contents = { before: before.get(path), after: after.get(path) };
    const content = contentChange(path, files, { contents, fits: shown.paths.has(path) });
    changes.push({ path, change: kindOf(files), ...files, ...content });
  }
  return changes;
}

function isEqual(a: ListedFile | undefined, b: ListedFile | undefined): boolean {
  return a?.type === b?.type && a?.isExecutable === b?.isExecutable && a?.digest === b?.digest;
}

interface Both<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

function kindOf({ before, after }: Both<ListedFile>): Change["change"] {
  if (before === undefined) return "added";
  return after === undefined ? "removed" : "changed";
}

/** The paths whose contents are read: as many as may be held. */
function shownOf(paths: readonly string[], a: Files, b: Files) {
  const chosen = new Set<string>();
  let left = maxTotalBytes;
  for (const path of paths) {
    const size = Math.max(sizeOf(a, path), sizeOf(b, path));
    if (size > maxFileBytes || size > left || a.byPath.get(path)?.digest === b.byPath.get(path)?.digest) continue;
    left -= size;
    chosen.add(path);
  }
  const of = (files: Files) => new Set([...chosen].filter((path) => files.byPath.get(path)?.type === "file"));
  return { paths: chosen, of };
}

function sizeOf({ byPath }: Files, path: string): number {
  return byPath.get(path)?.size ?? 0;
}

function contentChange(
  path: string,
  files: Both<ListedFile>,
  { contents, fits }: { readonly contents: Both<Buffer>; readonly fits: boolean },
): Pick<Change, "diff" | "omitted"> {
  const { before, after } = files;
  if (before?.digest === after?.digest) return {};
  if ([before, after].some((file) => file !== undefined && file.type !== "file")) return { omitted: "not a file" };
  if (!fits) return { omitted: "too large" };
  const texts = [textOf(contents.before), textOf(contents.after)] as const;
  if (texts[0] === undefined || texts[1] === undefined) return { omitted: "binary" };
  const text = unified(path, files, [texts[0], texts[1]]);
  return text === undefined ? { omitted: "too different" } : { diff: text };
}

/** Undefined where the texts are too different. */
function unified(
  path: string,
  { before, after }: Both<ListedFile>,
  [from, to]: readonly [string, string],
): string | undefined {
  const name = printable(path, maxLine);
  const names = [before ? `a/${name}` : "/dev/null", after ? `b/${name}` : "/dev/null"] as const;
  const maxEditLength = before && after ? maxEdits : Number.MAX_SAFE_INTEGER;
  const patch = structuredPatch(...names, from, to, undefined, undefined, { context: 3, maxEditLength });
  return patch && visible(formatPatch(patch, FILE_HEADERS_ONLY));
}

/** Undefined for what is not UTF-8, or has a NUL as binary files have. */
function textOf(content: Buffer | undefined): string | undefined {
  if (content === undefined) return "";
  if (content.includes(0)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

/** What a terminal would act upon is shown as an escape; tabs stay. */
function visible(text: string): string {
  return text
    .split("\n")
    .map((line) =>
      line
        .slice(0, maxLine)
        .split("\t")
        .map((part) => printable(part, maxLine))
        .join("\t"),
    )
    .join("\n");
}
