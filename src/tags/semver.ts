/**
 * Versions as Masterminds/semver v3 reads them (`NewVersion`): a leading `v`, missing minor or patch numbers and
 * leading zeros in the three numbers are accepted, because Flux's ranges are defined by that library.
 */
export interface Version {
  readonly major: Segment;
  readonly minor: Segment;
  readonly patch: Segment;
  /** Dot-separated identifiers after `-`; empty for a release. */
  readonly prerelease: string;
}

/** An unsigned 64-bit number; a bigint only where it is beyond the safe integers, so that `===` works. */
export type Segment = number | bigint;

const maxLength = 256;
const maxUint64 = 2n ** 64n - 1n;
const identifiersPattern = "[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*";
const versionPattern = new RegExp(
  `^v?([0-9]+)(?:\\.([0-9]+))?(?:\\.([0-9]+))?(?:-(${identifiersPattern}))?(?:\\+${identifiersPattern})?$`,
);
const leadingZeroPattern = /(?:^|\.)0[0-9]+(?:\.|$)/;
const digitsPattern = /^[0-9]+$/;

/** The version that `text` states, or undefined where it states none. Build metadata is checked and dropped. */
export function parseVersion(text: string): Version | undefined {
  if (text.length > maxLength) return undefined;
  const match = versionPattern.exec(text);
  if (match === null) return undefined;
  const prerelease = match[4] ?? "";
  if (leadingZeroPattern.test(prerelease)) return undefined;
  const [major, minor, patch] = [segment(match[1]), segment(match[2]), segment(match[3])];
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  return { major, minor, patch, prerelease };
}

/**
 * The version that a tag states. Only a tag with all three numbers counts, as in Flux: a floating tag such as `1.2` or
 * a date such as `20240101` is not taken for a release.
 */
export function parseTagVersion(tag: string): Version | undefined {
  const firstDot = tag.indexOf(".");
  if (firstDot < 0 || !tag.includes(".", firstDot + 1)) return undefined;
  return parseVersion(tag);
}

function segment(digits: string | undefined): Segment | undefined {
  if (digits === undefined) return 0;
  if (digits.length <= 15) return Number(digits);
  const value = BigInt(digits);
  if (value > maxUint64) return undefined;
  return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}

/** Precedence by semver.org, section 11: negative, zero or positive. Build metadata does not count. */
export function compareVersions(a: Version, b: Version): number {
  return (
    compareSegments(a.major, b.major) ||
    compareSegments(a.minor, b.minor) ||
    compareSegments(a.patch, b.patch) ||
    comparePrereleases(a.prerelease, b.prerelease)
  );
}

/** A release comes after its pre-releases. */
export function comparePrereleases(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "") return 1;
  if (b === "") return -1;
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.min(left.length, right.length); i += 1) {
    const order = compareIdentifiers(left[i] ?? "", right[i] ?? "");
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** Numbers compare as numbers and come before words. What overflows 64 bits is a word to Masterminds/semver. */
function compareIdentifiers(a: string, b: string): number {
  if (a === b) return 0;
  const left = digitsPattern.test(a) ? segment(a) : undefined;
  const right = digitsPattern.test(b) ? segment(b) : undefined;
  if (left !== undefined && right !== undefined) return compareSegments(left, right);
  if (left !== undefined) return -1;
  if (right !== undefined) return 1;
  return a < b ? -1 : 1;
}

function compareSegments(a: Segment, b: Segment): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
