import type { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import { pullStream } from "./pull.ts";
import { counted } from "../text/count.ts";

/** What a transfer of content has to bring. Only the time counts in which we wait for the other side. */
export interface PaceLimits {
  readonly leastBytesPerSecond: number;
  /** The least rate is an average over this time. */
  readonly windowMs: number;
  /** A whole blob may take so much longer than the least rate would need for its size, however often it is resumed. */
  readonly graceMs: number;
}

/** How often the rate is looked at, in a window. */
const looks = 10;

/** Watches over the transfer of one blob, in one response or in several. */
export class Pace {
  readonly #limits: PaceLimits;
  #leftMs: number;

  constructor(limits: PaceLimits, bytes: number) {
    this.#limits = limits;
    this.#leftMs = limits.graceMs + (1000 * bytes) / limits.leastBytesPerSecond;
  }

  /** All its time is used up: it is not to be resumed. */
  get isOver(): boolean {
    return this.#leftMs <= 0;
  }

  /** @param onSlow ends the transfer; it is called once */
  watch(name: string, onSlow: (error: CodedError) => void): PaceWatch {
    const { leastBytesPerSecond, windowMs } = this.#limits;
    return new PaceWatch(windowMs, {
      spend: (waitedMs) => (this.#leftMs -= waitedMs),
      judge: (bytes) => {
        const isSlow = bytes < (leastBytesPerSecond * windowMs) / 1000;
        if (this.isOver) onSlow(tooLong(name));
        else if (isSlow) onSlow(tooSlow(name, bytes, this.#limits));
        return isSlow || this.isOver;
      },
    });
  }
}

interface PaceRules {
  /** Told of all the time that was waited. */
  spend(waitedMs: number): void;
  /** Told what a window has brought; true ends the watch. */
  judge(bytes: number): boolean;
}

/** Adds up what comes while we wait for it. */
export class PaceWatch {
  readonly #windowMs: number;
  readonly #rules: PaceRules;
  readonly #timer: NodeJS.Timeout;
  #since: number | undefined;
  #waitedMs = 0;
  #bytes = 0;

  constructor(windowMs: number, rules: PaceRules) {
    this.#windowMs = windowMs;
    this.#rules = rules;
    this.#timer = setInterval(() => this.#look(), windowMs / looks);
  }

  /** From now on, the other side is waited for. */
  waits(): void {
    this.#since = performance.now();
  }

  /** So much has come; what follows is our own work. */
  got(bytes: number): void {
    this.#add();
    this.#since = undefined;
    this.#bytes += bytes;
  }

  /** May be called again. */
  stop(): void {
    clearInterval(this.#timer);
    this.#add();
    this.#since = undefined;
  }

  #add(): void {
    if (this.#since === undefined) return;
    const now = performance.now();
    this.#waitedMs += now - this.#since;
    this.#rules.spend(now - this.#since);
    this.#since = now;
  }

  #look(): void {
    this.#add();
    if (this.#waitedMs < this.#windowMs) return;
    if (this.#rules.judge(this.#bytes)) this.stop();
    this.#waitedMs = 0;
    this.#bytes = 0;
  }
}

const tooSlow = (name: string, bytes: number, { windowMs, leastBytesPerSecond }: PaceLimits): CodedError =>
  new CodedError(
    "RegistryTimeout",
    `${name}: ${counted(bytes, "byte")} in ${windowMs / 1000} s; at least ${leastBytesPerSecond} bytes a second are needed`,
    { details: { slow: true } },
  );

const tooLong = (name: string): CodedError =>
  new CodedError("RegistryTimeout", `${name}: the transfer takes longer than its size allows`, {
    details: { slow: true },
  });

/** Whether a transfer was ended because it was slow. */
export const wasSlow = (error: CodedError): boolean => error.details?.["slow"] === true;

/** Small enough that a slow link takes one of them within a window. */
const sliceBytes = 32 * 1024;

/** A body to send, which the other side has to take fast enough. */
export function pacedBody(body: Readable, limits: PaceLimits, sending: { name: string; bytes: number }): Readable {
  const watch = new Pace(limits, sending.bytes).watch(sending.name, (error) => stream.destroy(error));
  const stream = pullStream(slices(body, watch), 1, () => {
    watch.stop();
    body.destroy();
  });
  return stream;
}

async function* slices(body: Readable, watch: PaceWatch): AsyncGenerator<Buffer> {
  for await (const chunk of body as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      const slice = chunk.subarray(at, at + sliceBytes);
      watch.waits();
      yield slice;
      watch.got(slice.length);
    }
  }
  watch.stop();
}
