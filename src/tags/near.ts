import { editDistance } from "../text/near.ts";
import { compareVersions, parseTagVersion } from "./semver.ts";

/** Tags are at most 128 characters; more of a list is not compared. */
const maxCompared = 2000;
const maxDistance = 3;

/** Those of `tags` that somebody who wrote `wanted` may have meant, the likeliest first. */
export function nearTags(wanted: string, tags: readonly string[], count: number): string[] {
  const plain = plainOf(wanted);
  // In a short tag every character counts.
  const max = Math.min(maxDistance, Math.ceil(plain.length / 3));
  return tags
    .slice(0, maxCompared)
    .map((tag) => ({ tag, far: farness(plain, plainOf(tag), max) }))
    .filter(({ far }) => far <= max)
    .toSorted((a, b) => a.far - b.far)
    .slice(0, count)
    .map(({ tag }) => tag);
}

/** Some of `tags`, in their order, for who asked for none like them: the highest versions, then those that stand last. */
export function someTags(tags: readonly string[], count: number): string[] {
  const versions = tags.slice(0, maxCompared).flatMap((tag) => {
    const version = parseTagVersion(tag);
    return version === undefined ? [] : [{ tag, version }];
  });
  const highest = versions.toSorted((a, b) => compareVersions(b.version, a.version)).map(({ tag }) => tag);
  const chosen = new Set([...new Set([...highest, ...tags.toReversed()])].slice(0, count));
  return tags.filter((tag) => chosen.has(tag));
}

/** `v1.2.0` and `1.2.0` are written for each other most. */
const plainOf = (tag: string): string => tag.toLowerCase().replace(/^v(?=\d)/, "");

function farness(a: string, b: string, max: number): number {
  if (a === b) return 0;
  return b.startsWith(a) || a.startsWith(b) ? 1 : editDistance(a, b, max);
}
