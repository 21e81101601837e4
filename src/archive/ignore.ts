import { CodedError } from "../errors.ts";
import { compilePart, type PartMatcher } from "./glob.ts";
import { parentOf, quote } from "./path.ts";

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

export const ignoreFile = ".sourceignore";
/** The most that all .sourceignore files together may have. */
export const maxIgnoreBytes = 1024 * 1024;
/** Every entry is held against every pattern; one entry against so many takes no longer than a slice of `EventLoopTurns` or a few. */
const maxPatterns = 10_000;
/**
 * What matching one tree may cost: a step for each pattern that an entry is held against, and one for each character of a
 * name where the pattern has wildcards. A hundred patterns on a hundred thousand files take a tenth of it.
 */
const defaultMaxSteps = 200_000_000;

/** One line of .gitignore syntax, as fluxcd/pkg/sourceignore reads it. */
export interface IgnorePattern {
  /** As it is written. */
  readonly text: string;
  /** Where it stands: `spec.ignore`, a .sourceignore file, Flux's default exclusions. */
  readonly source: string;
  /** The directory of the .sourceignore file it stands in, with a slash; "" for the root. */
  readonly domain: string;
  /** How many parts the domain has. */
  readonly depth: number;
  readonly parts: readonly PatternPart[];
  readonly includes: boolean;
  readonly dirOnly: boolean;
  /** It has a slash: matched from the domain down. Without one it is matched against every part of a path. */
  readonly anchored: boolean;
  /** What the last name of a path must be like, where one part of the pattern says so. */
  readonly last: PartMatcher | undefined;
}

type PatternPart =
  { readonly kind: "empty" | "any-depth" | "never" } | { readonly kind: "name"; readonly part: PartMatcher };

/**
 * The pattern that leaves a path out of the artifact; undefined where it stays.
 * @throws InvalidPattern where all that was asked takes too long
 */
export type Ignore = (path: string, isDirectory: boolean) => IgnorePattern | undefined;

/** @throws InvalidPattern where there are too many lines to match in reasonable time */
export function readPatterns(text: string, domain = "", source = "spec.ignore"): IgnorePattern[] {
  const lines = text.split("\n").map((line) => line.replace(/\r$/, ""));
  const stated = lines.filter((line) => !line.startsWith("#") && line.trim() !== "");
  checkPatternCount(stated);
  return stated.map((line) => parsePattern(line, domain, source));
}

/** Which exclusions hold where nobody has written any. */
export type DefaultExclusions = "flux" | "none";

/**
 * The rules of spec.ignore and of the .sourceignore files in a tree: as in Flux, either replaces the default exclusions but
 * for those of version control, and spec.ignore, which comes last, has the final word.
 *
 * @param defaults "none": nothing is left out that nobody has named, version control included
 */
export function ignoreRules(
  fromTree: readonly IgnorePattern[],
  specIgnore: string | undefined,
  { defaults = "flux", ...options }: MatchOptions & { readonly defaults?: DefaultExclusions } = {},
): Ignore {
  const own = [...fromTree, ...readPatterns(specIgnore ?? "")];
  checkPatternCount(own);
  const base = own.length > 0 ? vcsPatterns : [...vcsPatterns, ...defaultPatterns];
  const usual = defaults === "none" ? [] : base.map((line) => parsePattern(line, "", "Flux's default exclusions"));
  return createIgnore([...usual, ...own], options);
}

export interface MatchOptions {
  readonly maxSteps?: number | undefined;
  /** Directories where paths begin, as far as spec.ignore and the default exclusions are concerned; absent: at the root. */
  readonly roots?: ReadonlySet<string> | undefined;
}

/**
 * As go-git and so Flux do it: the last pattern that matches a path decides on it, whatever was decided on the directories
 * above. A pattern that matches a directory also matches all that lies below.
 */
export function createIgnore(patterns: readonly IgnorePattern[], options: MatchOptions = {}): Ignore {
  const rules = new Rules(patterns, options);
  return (path, isDirectory) => {
    const decisive = patterns[isDirectory ? rules.directory(path).decisive : rules.decisiveFor(path, false)];
    return decisive?.includes === false ? decisive : undefined;
  };
}

/** What is known of a directory. */
interface Directory {
  /** Index of the last pattern that matches it, and so everything below it; -1 for none. */
  readonly decisive: number;
  /** Indexes of the patterns that count below it. */
  readonly inside: readonly number[];
  /** How many parts the root has that it lies in. */
  readonly rootDepth: number;
}

class Rules {
  readonly #patterns: readonly IgnorePattern[];
  readonly #byDomain: ReadonlyMap<string, readonly number[]>;
  readonly #directories = new Map<string, Directory>();
  readonly #roots: ReadonlySet<string>;
  #stepsLeft: number;
  /** Where the last path lay, with its slash: mostly the next one lies there too. */
  #lastPrefix = "";
  #lastDirectory: Directory | undefined;

  constructor(patterns: readonly IgnorePattern[], { maxSteps = defaultMaxSteps, roots = new Set([""]) }: MatchOptions) {
    this.#patterns = patterns;
    this.#stepsLeft = maxSteps;
    this.#roots = roots;
    this.#byDomain = Map.groupBy(patterns.keys(), (i) => patterns[i]!.domain);
    this.#directories.set("", roots.has("") ? this.#root("") : { decisive: -1, inside: [], rootDepth: 0 });
  }

  directory(path: string): Directory {
    let known = this.#directories.get(path);
    if (known === undefined) {
      known = this.#roots.has(path) ? this.#root(path) : this.#below(path);
      this.#directories.set(path, known);
    }
    return known;
  }

  #root(path: string): Directory {
    const everywhere = this.#byDomain.get("") ?? [];
    return { decisive: -1, inside: this.#withOwn(path, everywhere), rootDepth: depthOf(path) };
  }

  #below(path: string): Directory {
    const { inside, rootDepth } = this.directory(parentOf(path));
    return { decisive: this.decisiveFor(path, true), inside: this.#withOwn(path, inside), rootDepth };
  }

  /** With the patterns of the directory's own .sourceignore. */
  #withOwn(path: string, inside: readonly number[]): readonly number[] {
    const own = path === "" ? undefined : this.#byDomain.get(`${path}/`);
    return own === undefined ? inside : [...inside, ...own].sort((a, b) => a - b);
  }

  #parent(path: string, prefixLength: number): Directory {
    if (
      this.#lastDirectory !== undefined &&
      this.#lastPrefix.length === prefixLength &&
      path.startsWith(this.#lastPrefix)
    )
      return this.#lastDirectory;
    const directory = this.directory(parentOf(path));
    this.#lastPrefix = path.slice(0, prefixLength);
    this.#lastDirectory = directory;
    return directory;
  }

  /** A pattern that matches the parent matches here too, so only what comes after it has to be asked. */
  decisiveFor(path: string, isDirectory: boolean): number {
    const nameAt = path.lastIndexOf("/") + 1;
    const { decisive, inside, rootDepth } = this.#parent(path, nameAt);
    const name = path.slice(nameAt);
    let names: readonly string[] | undefined;
    for (let at = inside.length - 1; at >= 0 && inside[at]! > decisive; at--) {
      const pattern = this.#patterns[inside[at]!]!;
      if (pattern.dirOnly && !isDirectory) continue;
      // Most names end it here, before the path is taken apart.
      if (pattern.last !== undefined && !this.#matchesName(pattern.last, name)) continue;
      if (!pattern.anchored || this.#matchesPath(pattern, (names ??= path.split("/")), rootDepth)) return inside[at]!;
    }
    return decisive;
  }

  /** Whether the pattern takes the names to the last one. */
  #matchesPath(pattern: IgnorePattern, names: readonly string[], rootDepth: number): boolean {
    let at = Math.max(pattern.depth, rootDepth);
    let isAnyDepth = false;
    for (const part of pattern.parts) {
      if (part.kind === "never") return false;
      if (part.kind !== "name") {
        isAnyDepth = part.kind === "any-depth";
        continue;
      }
      at = this.#find(part.part, names, { from: at, isAnyDepth }) + 1;
      if (at === 0) return false;
      isAnyDepth = false;
    }
    return at === names.length;
  }

  /** The index of the first name from there on that matches, or only the first itself; -1 where there is none. */
  #find(
    part: PartMatcher,
    names: readonly string[],
    { from, isAnyDepth }: { readonly from: number; readonly isAnyDepth: boolean },
  ): number {
    for (let i = from; i < names.length; i++) {
      if (this.#matchesName(part, names[i]!)) return i;
      if (!isAnyDepth) return -1;
    }
    return -1;
  }

  #matchesName(part: PartMatcher, name: string): boolean {
    this.#stepsLeft -= part.isPlain ? 1 : name.length + 1;
    if (this.#stepsLeft < 0) throw tooLong(this.#patterns.length);
    return part.matches(name);
  }
}

function parsePattern(line: string, domain: string, source: string): IgnorePattern {
  const includes = line.startsWith("!");
  let text = includes ? line.slice(1) : line;
  if (!text.endsWith("\\ ")) text = trimSpaces(text);
  const dirOnly = text.endsWith("/");
  if (dirOnly) text = text.slice(0, -1);
  const anchored = text.includes("/");
  const parts = anchored ? text.split("/").map(parsePart) : [{ kind: "name", part: compilePart(text) } as const];
  const end = parts.at(-1);
  const last = end?.kind === "name" ? end.part : undefined;
  const prefix = domain === "" ? "" : `${domain}/`;
  return { text: line, source, domain: prefix, depth: depthOf(domain), parts, includes, dirOnly, anchored, last };
}

function parsePart(part: string): PatternPart {
  if (part === "") return { kind: "empty" };
  if (part === "**") return { kind: "any-depth" };
  return part.includes("**") ? { kind: "never" } : { kind: "name", part: compilePart(part) };
}

function trimSpaces(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === " ") end--;
  return text.slice(0, end);
}

/** How many parts a path has. */
function depthOf(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}

/** A pattern as a message names it. */
export function describePattern({ text, source }: IgnorePattern): string {
  return `${quote(text)} of ${source}`;
}

/** @throws InvalidPattern */
export function checkPatternCount(patterns: readonly unknown[]): void {
  if (patterns.length > maxPatterns) {
    throw new CodedError(
      "InvalidPattern",
      `there are ${patterns.length} ignore patterns; at most ${maxPatterns} are allowed`,
    );
  }
}

function tooLong(patterns: number): CodedError {
  return new CodedError(
    "InvalidPattern",
    `${patterns} ignore patterns take too long to match on so many names; write fewer of them, or without * and ? in the middle`,
  );
}
