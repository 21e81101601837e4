import type { ServerResponse } from "node:http";
import { CodedError } from "../errors.ts";
import type { ByteRange } from "./byte-range.ts";

/** Reads into `chunk` from `position` on and tells how much that was; nothing is the end. It may call back at once. */
export type Read = (position: number, chunk: Buffer, done: (error: Error | null, bytes: number) => void) => void;

/** What all answers under way hold in memory, about, and how much of it one has. */
const heldBytes = 2 * 1024 * 1024;
const chunkBytes = Object.freeze({ most: 256 * 1024, least: 8 * 1024 });
let underWay = 0;

/**
 * How many parts are read and handed to the kernel at once. The event loop comes round as often: it takes one new connection each
 * time, which thousands of clients that fill their buffers would hold up.
 */
const mostAtOnce = 16;
const waiting = new Set<Pump>();
let busy = 0;
let isScheduled = false;

/** In a round of its own, with all who come at the same time. */
function schedule(): void {
  if (isScheduled) return;
  isScheduled = true;
  setImmediate(goOn);
}

function goOn(): void {
  isScheduled = false;
  for (const pump of waiting) {
    if (busy >= mostAtOnce) return;
    waiting.delete(pump);
    busy++;
    pump.step();
  }
}

/**
 * Sends a range of something that can be read. The next part is read when the kernel has taken the one before, all into one
 * buffer: whoever does not read holds no more. The more answers are under way, the smaller a new one's buffer is.
 * Resolves also where the client hangs up, which is not a failure.
 * @throws SizeMismatch where it ends early: the status is out, so only a broken connection can tell the client
 */
export async function pump(read: Read, range: ByteRange, response: ServerResponse): Promise<void> {
  underWay++;
  try {
    await new Promise<void>((done, fail) => new Pump(read, range, response, (error) => (error ? fail(error) : done())));
  } finally {
    underWay--;
  }
}

/** Without a promise or a closure for each part: there are many, and they are what a busy server makes its garbage of. */
class Pump {
  readonly #read: Read;
  readonly #response: ServerResponse;
  readonly #chunk: Buffer;
  readonly #end: number;
  #at: number;
  #isReading = false;
  #isGone = false;
  #done: ((error?: Error) => void) | undefined;

  constructor(read: Read, { start, end }: ByteRange, response: ServerResponse, done: (error?: Error) => void) {
    const share = Math.max(chunkBytes.least, Math.min(chunkBytes.most, Math.floor(heldBytes / underWay)));
    this.#chunk = Buffer.allocUnsafeSlow(Math.min(share, end - start));
    this.#read = read;
    this.#response = response;
    this.#at = start;
    this.#end = end;
    this.#done = done;
    response.once("close", () => {
      this.#isGone = true;
      // What is being read from must not be closed.
      if (!this.#isReading) this.#finish();
    });
    this.#queue();
  }

  step(): void {
    this.#isReading = true;
    const left = this.#end - this.#at;
    this.#read(this.#at, left < this.#chunk.length ? this.#chunk.subarray(0, left) : this.#chunk, this.#onRead);
  }

  readonly #onRead = (error: Error | null, bytes: number): void => {
    busy--;
    this.#isReading = false;
    if (this.#isGone) this.#finish();
    else this.#hand(error, bytes);
    if (waiting.size > 0) schedule();
  };

  #hand(error: Error | null, bytes: number): void {
    if (error !== null) return this.#finish(error);
    if (bytes === 0)
      return this.#finish(new CodedError("SizeMismatch", `a stored file ended ${this.#end - this.#at} bytes early`));
    this.#at += bytes;
    this.#response.write(bytes < this.#chunk.length ? this.#chunk.subarray(0, bytes) : this.#chunk, this.#onTaken);
  }

  readonly #onTaken = (error?: Error | null): void => {
    // The connection is about to be closed.
    if (this.#isGone || (error !== null && error !== undefined)) return;
    if (this.#at < this.#end) return this.#queue();
    this.#response.end();
    this.#finish();
  };

  #queue(): void {
    waiting.add(this);
    schedule();
  }

  #finish(error?: Error): void {
    waiting.delete(this);
    const done = this.#done;
    this.#done = undefined;
    done?.(error);
  }
}
