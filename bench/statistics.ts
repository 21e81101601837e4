/** The middle of some figures, with the smallest and the largest. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The mean of the two middle ones where their number is even. Throws a RangeError for no figures. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((a, b) => a - b);
  const upper = sorted[sorted.length >> 1];
  const lower = sorted[(sorted.length - 1) >> 1];
  if (upper === undefined || lower === undefined) throw new RangeError("there is no median of no figures");
  return (lower + upper) / 2;
}

export function spread(figures: readonly number[]): Spread {
  return { median: median(figures), min: Math.min(...figures), max: Math.max(...figures) };
}

/** How many times as much `theirs` is; undefined where `ours` is nothing, which no factor can say. */
export function factor(ours: number, theirs: number): number | undefined {
  return ours > 0 ? theirs / ours : undefined;
}
