import { comparePaths } from "./path.ts";

/** What stands under a path; `implied`: a directory that something lies in, without an entry of its own. */
export type SeenAs = "file" | "dir" | "implied";

/**
 * The paths of an archive so far. Most archives have their files in ascending order: those are only listed, since what
 * comes after all others cannot be there yet, and looked for by halves where something else may be one of them.
 */
export class SeenPaths {
  readonly #ascending: string[] = [];
  readonly #others = new Map<string, SeenAs>();
  #highest = "";

  get(path: string): SeenAs | undefined {
    if (comparePaths(path, this.#highest) > 0) return undefined;
    return this.#others.get(path) ?? (this.#isListed(path) ? "file" : undefined);
  }

  set(path: string, as: SeenAs): void {
    const isHighest = comparePaths(path, this.#highest) > 0;
    if (isHighest) this.#highest = path;
    if (isHighest && as === "file") this.#ascending.push(path);
    else this.#others.set(path, as);
  }

  #isListed(path: string): boolean {
    let low = 0;
    let high = this.#ascending.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePaths(this.#ascending[middle]!, path) < 0) low = middle + 1;
      else high = middle;
    }
    return this.#ascending[low] === path;
  }
}
