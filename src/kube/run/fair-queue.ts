interface Group<T> {
  readonly urgent: Map<string, T>;
  readonly routine: Map<string, T>;
}

/**
 * What waits for its turn. Groups take turns, however much each of them has waiting; within a group the urgent come first,
 * and each kind in the order in which it came.
 */
export class FairQueue<T> {
  /** The group whose turn is next comes first. */
  readonly #groups = new Map<string, Group<T>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(group: string, key: string): { readonly value: T; readonly urgent: boolean } | undefined {
    const waiting = this.#groups.get(group);
    const urgent = waiting?.urgent.get(key);
    if (urgent !== undefined) return { value: urgent, urgent: true };
    const routine = waiting?.routine.get(key);
    return routine === undefined ? undefined : { value: routine, urgent: false };
  }

  /** A key that waits already keeps its place, unless it is to become urgent. */
  set(group: string, key: string, value: T, urgent: boolean): void {
    let waiting = this.#groups.get(group);
    if (waiting === undefined) {
      waiting = { urgent: new Map(), routine: new Map() };
      this.#groups.set(group, waiting);
    }
    const kind = urgent || waiting.urgent.has(key) ? "urgent" : "routine";
    if (kind === "urgent" && waiting.routine.delete(key)) this.#size--;
    if (!waiting[kind].has(key)) this.#size++;
    waiting[kind].set(key, value);
  }

  delete(group: string, key: string): void {
    const waiting = this.#groups.get(group);
    if (waiting === undefined) return;
    if (waiting.urgent.delete(key) || waiting.routine.delete(key)) this.#size--;
    if (waiting.urgent.size + waiting.routine.size === 0) this.#groups.delete(group);
  }

  /** Takes out the first of the next group that `may` have a turn. */
  next(
    may: (group: string) => boolean,
  ): { readonly group: string; readonly key: string; readonly value: T } | undefined {
    for (const [group, waiting] of this.#groups) {
      if (!may(group)) continue;
      const { urgent, routine } = waiting;
      const [key, value] = (urgent.size > 0 ? urgent : routine).entries().next().value!;
      // To the end of the row.
      this.#groups.delete(group);
      this.#groups.set(group, waiting);
      this.delete(group, key);
      return { group, key, value };
    }
    return undefined;
  }

  clear(): void {
    this.#groups.clear();
    this.#size = 0;
  }
}
