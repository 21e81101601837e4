import type { IncomingHttpHeaders } from "node:http";

/** Something that goes wrong with a response; several may be given in one fault. */
export interface Fault {
  /** Only requests with this method. */
  readonly method?: string;
  /** Only requests whose path and query match; default: all. */
  readonly path?: RegExp;
  /** How many matching requests are let through first. */
  readonly after?: number;
  /** How many requests it spoils; default 1. */
  readonly times?: number;
  /** Answered instead of the real response. */
  readonly status?: number;
  readonly body?: string | Buffer;
  /** Added to the response; an undefined value removes the header. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  /** The connection is reset after so many bytes of the body (0: after the head). */
  readonly cutAfterBytes?: number;
  /** The body stops after so many bytes, and the connection stays open. */
  readonly stallAfterBytes?: number;
  /** The connection is reset before anything is answered. */
  readonly reset?: boolean;
  /** The answer starts so many milliseconds late. */
  readonly delayMs?: number;
  /** Flips one bit at this offset of the body. */
  readonly corruptAt?: number;
  /** For uploads: the connection is reset after so many bytes of the request's body were kept. */
  readonly cutRequestAfterBytes?: number;
}

interface Armed {
  readonly fault: Fault;
  after: number;
  left: number;
}

/** What stands in front of the registry: answers instead of it, or lets the request go on. */
export type Guard = (request: {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}) => Fault | undefined;

/** The faults a test has armed, used up in the order they were added. */
export class Faults {
  readonly #armed: Armed[] = [];
  /** Asked where no fault is armed. */
  guard: Guard = () => undefined;

  add(...faults: Fault[]): void {
    for (const fault of faults) this.#armed.push({ fault, after: fault.after ?? 0, left: fault.times ?? 1 });
  }

  clear(): void {
    this.#armed.length = 0;
  }

  /** The fault that spoils this request, if any; counts it as used. */
  take(method: string, url: string, headers: IncomingHttpHeaders = {}): Fault | undefined {
    for (const armed of this.#armed) {
      const { fault } = armed;
      if (armed.left === 0 || (fault.method && fault.method !== method) || (fault.path && !fault.path.test(url)))
        continue;
      if (armed.after > 0) {
        armed.after--;
        continue;
      }
      armed.left--;
      return fault;
    }
    return this.guard({ method, url, headers });
  }
}
