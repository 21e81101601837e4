/**
 * Places that groups share. A group gets another one only while it holds fewer than are free: one that takes all it can
 * leaves half of them, two leave a third, and so on. So a newcomer finds a place at once, without any being kept empty for it.
 */
export class Places {
  readonly #most: number;
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(most: number) {
    this.#most = most;
  }

  mayTake(group: string): boolean {
    return (this.#held.get(group) ?? 0) < this.#most - this.#taken;
  }

  take(group: string): void {
    this.#taken++;
    this.#held.set(group, (this.#held.get(group) ?? 0) + 1);
  }

  give(group: string): void {
    this.#taken--;
    const left = (this.#held.get(group) ?? 0) - 1;
    if (left > 0) this.#held.set(group, left);
    else this.#held.delete(group);
  }
}
