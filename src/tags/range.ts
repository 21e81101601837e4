import { CodedError } from "../errors.ts";
import type { Version } from "./semver.ts";
import { comparePrereleases, compareVersions, parseVersion } from "./semver.ts";

/** A range of versions, as `NewConstraint` of Masterminds/semver v3.5 reads it. */
export interface VersionRange {
  readonly text: string;
  /** One of the groups must hold (`||`). */
  readonly groups: readonly RangeGroup[];
}

/** Every term must hold (spaces and commas). */
interface RangeGroup {
  readonly terms: readonly RangeTerm[];
  /** A term with a pre-release, such as `-0`, opens the whole group to pre-releases. */
  readonly prereleases: boolean;
}

interface RangeTerm {
  readonly operator: Operator;
  /** As written: `1.x`, `v2.0.0-0`. */
  readonly written: string;
  readonly version: Version;
  /** The first number that is absent or a wildcard. */
  readonly open: "major" | "minor" | "patch" | undefined;
}

type Operator = keyof typeof operators;

const maxLength = 512;
const maxGroups = 32;
const exampleRanges =
  'Write for example "1.x", "~1.4", "^2.0.0-0" (with pre-releases), ">=1.0.0 <2.0.0" or "1.0 - 1.4 || >=2.0.0".';
const spacePattern = "[\\t\\n\\f\\r ]";
const numberPattern = "[0-9|xX*]+";
const identifiersPattern = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const boundPattern = `v?${numberPattern}(?:\\.${numberPattern})?(?:\\.${numberPattern})?(?:-${identifiersPattern})?(?:\\+${identifiersPattern})?`;
const boundPartsPattern = new RegExp(
  `^v?(${numberPattern})(?:\\.(${numberPattern}))?(?:\\.(${numberPattern}))?(-${identifiersPattern})?`,
);
const hyphenPattern = new RegExp(
  `${spacePattern}*(${boundPattern})${spacePattern}+-${spacePattern}+(${boundPattern})${spacePattern}*`,
  "g",
);
const separatorPattern = new RegExp(`${spacePattern}*,${spacePattern}*|${spacePattern}+`, "y");
const operatorPattern = /!=|>=|=>|<=|=<|~>|[=<>~^]|/y;
const boundAtPattern = new RegExp(boundPattern, "y");
const spacesPattern = new RegExp(`${spacePattern}*`, "y");

/** @throws InvalidSpec that shows where the range stops making sense */
export function parseRange(text: string): VersionRange {
  if (text.length > maxLength) throw invalid(text, `it is longer than ${maxLength} characters`);
  const groups = rewriteHyphens(text).split("||");
  if (groups.length > maxGroups) throw invalid(text, `it has more than ${maxGroups} alternatives`);
  return { text, groups: groups.map((group) => parseGroup(text, group)) };
}

export function inRange(version: Version, range: VersionRange): boolean {
  return range.groups.some((group) => {
    if (version.prerelease !== "" && !group.prereleases) return false;
    return group.terms.every((term) => operators[term.operator](version, term));
  });
}

/**
 * The same range opened to pre-releases, for people to write: `-0` after each bound that it can follow. Undefined where
 * the range is open already.
 */
export function withPrereleases(range: VersionRange): VersionRange | undefined {
  const text = range.groups.map((group) => group.terms.map(openTerm).join(" ")).join(" || ");
  const isOpen = range.groups.every((group) => group.prereleases);
  return isOpen || text.length > maxLength ? undefined : parseRange(text);
}

function openTerm(term: RangeTerm): string {
  const written = `${term.operator}${term.written}`;
  if (term.version.prerelease !== "" || term.written.includes("+")) return written;
  // `<=2.0.0-0` would shut out 2.0.0 itself, and `=1.2.3-0` or `!=1.2.3-0` would be about another version.
  if (term.operator === "!=" || term.operator === "<=" || term.operator === "=<") return written;
  const isEquality = term.operator === "" || term.operator === "=";
  return isEquality && term.open === undefined ? written : `${written}-0`;
}

/** `1.2 - 1.4` means `>=1.2 <=1.4`. */
function rewriteHyphens(text: string): string {
  let rewritten = text;
  for (const [whole, low, high] of text.matchAll(hyphenPattern)) {
    rewritten = rewritten.replace(whole, () => `>=${low}, <=${high} `);
  }
  return rewritten;
}

function parseGroup(text: string, group: string): RangeGroup {
  const terms: RangeTerm[] = [];
  let at = take(spacesPattern, group, 0).length;
  for (;;) {
    const operator = take(operatorPattern, group, at);
    at += operator.length;
    at += take(spacesPattern, group, at).length;
    const written = take(boundAtPattern, group, at);
    if (written === "") throw invalid(text, `${shown(group.slice(at))} stands where a version belongs`);
    at += written.length;
    terms.push(parseTerm(text, operator as Operator, written));
    if (take(spacesPattern, group, at).length === group.length - at) break;
    const separator = take(separatorPattern, group, at);
    if (separator === "")
      throw invalid(text, `${shown(group.slice(at))} follows "${operator}${written}" and fits no version`);
    at += separator.length;
  }
  return { terms, prereleases: terms.some((term) => term.version.prerelease !== "") };
}

function take(sticky: RegExp, text: string, at: number): string {
  sticky.lastIndex = at;
  return sticky.exec(text)?.[0] ?? "";
}

function parseTerm(text: string, operator: Operator, written: string): RangeTerm {
  const [, major = "", minor, patch, prerelease = ""] = boundPartsPattern.exec(written) ?? [];
  const open = firstOpen(major, minor, patch);
  const lowest = { major: "0.0.0", minor: `${major}.0.0`, patch: `${major}.${minor}.0` };
  const version = parseVersion(open === undefined ? written : `${lowest[open]}${prerelease}`);
  if (version === undefined) throw invalid(text, `"${written}" is not a version`);
  return { operator, written, version, open };
}

function firstOpen(major: string, minor: string | undefined, patch: string | undefined): RangeTerm["open"] {
  if (isOpen(major)) return "major";
  if (isOpen(minor)) return "minor";
  return isOpen(patch) ? "patch" : undefined;
}

function isOpen(number: string | undefined): boolean {
  return number === undefined || number === "x" || number === "X" || number === "*";
}

function shown(rest: string): string {
  return rest.trim() === "" ? "nothing" : `"${rest.trim().slice(0, 40)}"`;
}

function invalid(text: string, found: string): CodedError {
  const range = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  return new CodedError("InvalidSpec", `The semver range "${range}" cannot be read: ${found}. ${exampleRanges}`);
}

/** Each rule is that of Masterminds/semver, oddities included; pre-releases were judged by the group. */
const operators = {
  "": equalOrTilde,
  "=": equalOrTilde,
  "!=": differs,
  ">": above,
  ">=": (version: Version, term: RangeTerm): boolean => compareVersions(version, term.version) >= 0,
  "=>": (version: Version, term: RangeTerm): boolean => compareVersions(version, term.version) >= 0,
  "<": (version: Version, term: RangeTerm): boolean => compareVersions(version, term.version) < 0,
  "<=": notAbove,
  "=<": notAbove,
  "~": tilde,
  "~>": tilde,
  "^": caret,
} as const;

/** `1.2.3` is that version, `1.2` is `~1.2`. */
function equalOrTilde(version: Version, term: RangeTerm): boolean {
  return term.open === undefined ? compareVersions(version, term.version) === 0 : tilde(version, term);
}

/** `!=1.x` shuts out a whole major, `!=1.2.x` a whole minor. */
function differs(version: Version, term: RangeTerm): boolean {
  const bound = term.version;
  if (term.open === "minor") return version.major !== bound.major;
  if (term.open !== "patch") return compareVersions(version, bound) !== 0;
  if (version.major !== bound.major || version.minor !== bound.minor) return true;
  return comparePrereleases(version.prerelease, bound.prerelease) !== 0;
}

/** `>11` starts at 12.0.0, `>11.1` at 11.2.0. */
function above(version: Version, term: RangeTerm): boolean {
  const bound = term.version;
  if (term.open === undefined) return compareVersions(version, bound) > 0;
  if (version.major !== bound.major) return version.major > bound.major;
  if (term.open === "minor") return false;
  if (term.open === "patch") return version.minor > bound.minor;
  return compareVersions(version, bound) > 0;
}

/** `<=11` includes every 11.x, `<=11.1` every 11.1.x. */
function notAbove(version: Version, term: RangeTerm): boolean {
  const bound = term.version;
  if (term.open === undefined) return compareVersions(version, bound) <= 0;
  if (version.major !== bound.major) return version.major < bound.major;
  return term.open === "minor" || version.minor <= bound.minor;
}

/** `~1.2.3` stays in 1.2, `~1` in 1; `~0.0.0` and `~*` are any version. */
function tilde(version: Version, term: RangeTerm): boolean {
  const bound = term.version;
  if (compareVersions(version, bound) < 0) return false;
  const isZero = bound.major === 0 && bound.minor === 0 && bound.patch === 0;
  if (isZero && term.open !== "minor" && term.open !== "patch") return true;
  return version.major === bound.major && (version.minor === bound.minor || term.open === "minor");
}

/** Nothing left of the first number that is not zero may change. */
function caret(version: Version, term: RangeTerm): boolean {
  const bound = term.version;
  if (compareVersions(version, bound) < 0) return false;
  if (version.major !== bound.major) return false;
  if (bound.major > 0 || term.open === "minor") return true;
  if (version.minor !== bound.minor) return false;
  return bound.minor > 0 || term.open === "patch" || version.patch === bound.patch;
}
