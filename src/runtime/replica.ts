/** How long stopping may take, shared by all that stops. */
export interface StopTimes {
  /** In all. */
  readonly totalMs: number;
  /** The share that reconciles have to end by themselves. What is left is for consumers, who finish their downloads. */
  readonly reconcilesShare: number;
  /** What those who stop last have at the least. */
  readonly leastMs: number;
}

/** Where one process of `strata-controller` stands: whether it may answer, and how much of the time to stop is left. */
export class Replica {
  readonly #times: StopTimes;
  readonly #isShared: () => boolean;
  readonly #now: () => number;
  #isSynced = false;
  #leads = false;
  #stoppedAt: number | undefined;

  /** @param isShared whether somebody else, who leads, writes to the same storage */
  constructor(times: StopTimes, isShared: () => boolean, now: () => number = () => performance.now()) {
    this.#times = times;
    this.#isShared = isShared;
    this.#now = now;
  }

  /** Whether the files that count are in its storage: it may serve them. */
  get holdsFiles(): boolean {
    return this.#leads || this.#isShared();
  }

  /** Whether clients may be sent to it: it also knows all objects. */
  get isReady(): boolean {
    return this.#isSynced && this.holdsFiles;
  }

  /** Its caches are whole. */
  synced(): void {
    this.#isSynced = true;
  }

  leads(): void {
    this.#leads = true;
  }

  /** It has begun to stop. Whoever leads next may begin at once: nothing of this replica may still write then. */
  stops(): void {
    this.#leads = false;
    this.#stoppedAt = this.#now();
  }

  /** For the reconciles that run. @param isLost whether another replica may lead already */
  reconcilesGraceMs(isLost: boolean): number {
    return isLost ? 0 : this.#times.reconcilesShare * this.#times.totalMs;
  }

  /** For those who stop last. */
  graceLeftMs(): number {
    const { totalMs, leastMs } = this.#times;
    return this.#stoppedAt === undefined ? totalMs : Math.max(leastMs, this.#stoppedAt + totalMs - this.#now());
  }
}
