/** Edits after which one word is no longer meant by another. */
const maxDistance = 3;

/** Edits that turn one text into the other, Levenshtein by rows; Infinity where there are more than `max`. */
export function editDistance(a: string, b: string, max = maxDistance): number {
  if (Math.abs(a.length - b.length) > max) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++)
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
  }
  return row[b.length]! > max ? Infinity : row[b.length]!;
}

/** The word of a list that somebody who wrote `wanted` has most likely meant; undefined where none is near. */
export function nearestWord(wanted: string, words: readonly string[]): string | undefined {
  const plain = wanted.toLowerCase();
  // In a short word every letter counts.
  const max = Math.min(maxDistance, Math.ceil(plain.length / 3));
  const near = words
    .map((word) => ({ word, far: farness(plain, word.toLowerCase(), max) }))
    .filter(({ far }) => far <= max)
    // The first letter is mistyped least.
    .toSorted((a, b) => a.far - b.far || startsAs(plain, b.word) - startsAs(plain, a.word));
  return near[0]?.word;
}

const startsAs = (word: string, other: string): number => Number(word[0] === other[0]?.toLowerCase());

/** What begins like the other is near, and so is what has the other as one of its parts (`--type`, `--media-type`). */
function farness(a: string, b: string, max: number): number {
  if (a === b) return 0;
  const isPart = a.length >= 3 && b.length >= 3 && (b.startsWith(a) || a.startsWith(b) || isPartOf(a, b));
  return Math.min(editDistance(a, b, max), isPart ? 1 : Infinity);
}

const isPartOf = (a: string, b: string): boolean => b.split("-").includes(a) || a.split("-").includes(b);
