/** A place of a pattern: any run of characters, any one character, this one, or one of a class. */
export type WildToken = "run" | "one" | number | WildClass;

export interface WildClass {
  readonly negated: boolean;
  /** First and last code of each range. */
  readonly ranges: readonly (readonly [number, number])[];
}

/** The codes of a text: code points or UTF-16 units, whichever the pattern is made of. */
export type Codes = ArrayLike<number>;

type Place = Exclude<WildToken, "run">;
/** The index behind the first match in `codes[from..end)`; -1 for none. */
type Find = (codes: Codes, from: number, end: number) => number;

const wordBits = 32;

/**
 * Whether a whole text matches. The pattern is cut at its runs; each piece between two of them is looked for once, from
 * left to right, and never again from further on. Time is the sum of both lengths where a piece is plain text; a piece
 * with `?` or classes takes a thirty-second of its length for each character of the text.
 */
export function compileWildcard(tokens: readonly WildToken[]): (codes: Codes) => boolean {
  const [first, ...rest] = pieces(tokens) as [Place[], ...Place[][]];
  const last = rest.pop();
  if (last === undefined) return (codes) => codes.length === first.length && matchesAt(first, codes, 0);
  const least = first.length + last.length;
  const finds = rest.filter((piece) => piece.length > 0).map(finder);
  return (codes) => {
    const end = codes.length - last.length;
    if (codes.length < least || !matchesAt(first, codes, 0) || !matchesAt(last, codes, end)) return false;
    let at = first.length;
    for (const find of finds) {
      at = find(codes, at, end);
      if (at === -1) return false;
    }
    return true;
  };
}

function pieces(tokens: readonly WildToken[]): Place[][] {
  const found: Place[][] = [[]];
  for (const token of tokens) {
    if (token === "run") found.push([]);
    else found.at(-1)!.push(token);
  }
  return found;
}

function matchesAt(piece: readonly Place[], codes: Codes, at: number): boolean {
  return piece.every((place, i) => matchesOne(place, codes[at + i]!));
}

function matchesOne(place: Place, code: number): boolean {
  if (typeof place === "number") return place === code;
  if (place === "one") return true;
  return place.ranges.some(([low, high]) => low <= code && code <= high) !== place.negated;
}

function finder(piece: readonly Place[]): Find {
  let find: Find | undefined;
  // Most patterns are never asked for a text that gets so far.
  return (codes, from, end) => {
    if (end - from < piece.length) return -1;
    find ??= piece.every((place) => typeof place === "number") ? textFinder(piece) : placeFinder(piece);
    return find(codes, from, end);
  };
}

/** Knuth, Morris and Pratt's search. */
function textFinder(text: readonly number[]): Find {
  const fallback = new Uint32Array(text.length);
  for (let i = 1, matched = 0; i < text.length; i++) {
    while (matched > 0 && text[i] !== text[matched]) matched = fallback[matched - 1]!;
    if (text[i] === text[matched]) matched += 1;
    fallback[i] = matched;
  }
  return (codes, from, end) => {
    for (let i = from, matched = 0; i < end; i++) {
      while (matched > 0 && codes[i] !== text[matched]) matched = fallback[matched - 1]!;
      if (codes[i] === text[matched]) matched += 1;
      if (matched === text.length) return i + 1;
    }
    return -1;
  };
}

/** Baeza-Yates and Gonnet's search: a bit for each place that is matched so far, all moved on at once. */
function placeFinder(piece: readonly Place[]): Find {
  const words = Math.ceil(piece.length / wordBits);
  const masks = new PlaceMasks(piece, words);
  const done = 1 << ((piece.length - 1) % wordBits);
  return (codes, from, end) => {
    const state = new Uint32Array(words);
    for (let i = from; i < end; i++) {
      const mask = masks.of(codes[i]!);
      let carry = 1;
      for (let word = 0; word < words; word++) {
        const before = state[word]!;
        state[word] = ((before << 1) | carry) & mask[word]!;
        carry = before >>> (wordBits - 1);
      }
      if ((state[words - 1]! & done) !== 0) return i + 1;
    }
    return -1;
  };
}

/** Which places take a code. Codes between two bounds of the piece are all alike. */
class PlaceMasks {
  readonly #piece: readonly Place[];
  readonly #words: number;
  readonly #bounds: readonly number[];
  readonly #masks: (Uint32Array | undefined)[] = [];

  constructor(piece: readonly Place[], words: number) {
    this.#piece = piece;
    this.#words = words;
    const bounds = piece.flatMap((place) =>
      place === "one"
        ? []
        : typeof place === "number"
          ? [place, place + 1]
          : place.ranges.flatMap(([low, high]) => [low, high + 1]),
    );
    this.#bounds = [...new Set(bounds)].sort((a, b) => a - b);
  }

  of(code: number): Uint32Array {
    let low = 0;
    for (let high = this.#bounds.length; low < high;) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle]! <= code) low = middle + 1;
      else high = middle;
    }
    return (this.#masks[low] ??= this.#maskOf(code));
  }

  #maskOf(code: number): Uint32Array {
    const mask = new Uint32Array(this.#words);
    this.#piece.forEach((place, i) => {
      if (matchesOne(place, code)) mask[Math.floor(i / wordBits)]! |= 1 << (i % wordBits);
    });
    return mask;
  }
}
