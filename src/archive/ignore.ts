import { CodedError } from "../errors.ts";
import { compilePart, type PartMatcher } from "./glob.ts";
import { parentOf } from "./path.ts";

/** Flux's default exclusions (fluxcd/pkg/sourceignore): version control, then media and archives, CI and tools. */
const vcsPatterns = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];
const defaultPatterns = [
  "*.jpg",
  "*.jpeg",
  "*.gif",
  "*.png",
  "*.wmv",
  "*.flv",
  "*.tar.gz",
  "*.zip",
  ".github/",
  ".circleci/",
  ".travis.yml",
  ".gitlab-ci.yml",
  "appveyor.yml",
  ".drone.yml",
  "cloudbuild.yaml",
  "codeship-services.yml",
  "codeship-steps.yml",
  "**/.goreleaser.yml",
  "**/.sops.yaml",
  "**/.flux.yaml",
];

export const IGNORE_FILE = ".sourceignore";
export const MAX_IGNORE_BYTES = 256 * 1024;
/** Every entry is held against every pattern. */
const MAX_PATTERNS = 2000;

/** One line of .gitignore syntax, as fluxcd/pkg/sourceignore reads it. */
export interface IgnorePattern {
  /** The directory of the .sourceignore file it stands in, with a slash; "" for the root. */
  readonly domain: string;
  /** How many parts the domain has. */
  readonly depth: number;
  readonly parts: readonly PatternPart[];
  readonly includes: boolean;
  readonly dirOnly: boolean;
  /** It has a slash: matched from the domain down. Without one it is matched against every part of a path. */
  readonly anchored: boolean;
}

type PatternPart =
  { readonly kind: "empty" | "any-depth" | "never" } | { readonly kind: "name"; readonly matches: PartMatcher };

/** Says whether a path is left out of the artifact. */
export type Ignore = (path: string, isDirectory: boolean) => boolean;

/** @throws InvalidPattern where there are too many lines to match in reasonable time */
export function readPatterns(text: string, domain = ""): IgnorePattern[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const patterns = lines
    .filter((line) => !line.startsWith("#") && line.trim() !== "")
    .map((line) => parsePattern(line, domain));
  checkPatternCount(patterns);
  return patterns;
}

/**
 * The rules of spec.ignore and of the .sourceignore files in a tree: as in Flux, either replaces the default exclusions but
 * for those of version control, and spec.ignore, which comes last, has the final word.
 */
export function ignoreRules(fromTree: readonly IgnorePattern[], specIgnore: string | undefined): Ignore {
  const own = [...fromTree, ...readPatterns(specIgnore ?? "")];
  checkPatternCount(own);
  const base = own.length > 0 ? vcsPatterns : [...vcsPatterns, ...defaultPatterns];
  return createIgnore([...base.map((line) => parsePattern(line, "")), ...own]);
}

/** The last pattern that matches decides; a path below an ignored directory is ignored. */
export function createIgnore(patterns: readonly IgnorePattern[]): Ignore {
  const lastFirst = patterns.toReversed();
  const directories = new Map<string, boolean>([["", false]]);
  const decide = (path: string, isDirectory: boolean): boolean => {
    if (isIgnoredDirectory(parentOf(path))) return true;
    const names = path.split("/");
    const decisive = lastFirst.find(
      (pattern) => path.startsWith(pattern.domain) && matches(pattern, names, isDirectory),
    );
    return decisive !== undefined && !decisive.includes;
  };
  const isIgnoredDirectory = (path: string): boolean => {
    let verdict = directories.get(path);
    if (verdict === undefined) {
      verdict = decide(path, true);
      directories.set(path, verdict);
    }
    return verdict;
  };
  return (path, isDirectory) => (isDirectory ? isIgnoredDirectory(path) : decide(path, false));
}

function parsePattern(line: string, domain: string): IgnorePattern {
  const includes = line.startsWith("!");
  let text = includes ? line.slice(1) : line;
  if (!text.endsWith("\\ ")) text = trimSpaces(text);
  const dirOnly = text.endsWith("/");
  if (dirOnly) text = text.slice(0, -1);
  const anchored = text.includes("/");
  const parts = anchored ? text.split("/").map(parsePart) : [{ kind: "name", matches: compilePart(text) } as const];
  const prefix = domain === "" ? "" : `${domain}/`;
  return { domain: prefix, depth: prefix.split("/").length - 1, parts, includes, dirOnly, anchored };
}

function parsePart(part: string): PatternPart {
  if (part === "") return { kind: "empty" };
  if (part === "**") return { kind: "any-depth" };
  return part.includes("**") ? { kind: "never" } : { kind: "name", matches: compilePart(part) };
}

function trimSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === " ") end--;
  return text.slice(0, end);
}

function matches(pattern: IgnorePattern, names: readonly string[], isDirectory: boolean): boolean {
  const end = pattern.anchored ? matchAnchored(pattern, names) : matchName(pattern, names);
  return end !== -1 && !(pattern.dirOnly && !isDirectory && end === names.length);
}

/** How many of the names the match takes; -1 for no match. What lies below a matched directory is matched too. */
function matchName(pattern: IgnorePattern, names: readonly string[]): number {
  const part = pattern.parts[0]!;
  return part.kind === "name" ? findPart(part.matches, names, pattern.depth, true) + 1 || -1 : -1;
}

function matchAnchored(pattern: IgnorePattern, names: readonly string[]): number {
  let at = pattern.depth;
  let matched = false;
  let anyDepth = false;
  for (const part of pattern.parts) {
    if (part.kind === "never") return -1;
    if (part.kind !== "name") {
      anyDepth = part.kind === "any-depth";
      continue;
    }
    const found = findPart(part.matches, names, at, anyDepth);
    if (found === -1) return -1;
    matched = true;
    anyDepth = false;
    at = found + 1;
  }
  return matched ? at : -1;
}

/** The index of the first name from `at` on that matches, or only `at` itself; -1 where there is none. */
function findPart(matches: PartMatcher, names: readonly string[], at: number, anyDepth: boolean): number {
  for (let i = at; i < names.length; i++) {
    if (matches(names[i]!)) return i;
    if (!anyDepth) return -1;
  }
  return -1;
}

/** @throws InvalidPattern */
export function checkPatternCount(patterns: readonly IgnorePattern[]): void {
  if (patterns.length > MAX_PATTERNS) {
    throw new CodedError(
      "InvalidPattern",
      `there are ${patterns.length} ignore patterns; at most ${MAX_PATTERNS} are allowed`,
    );
  }
}
