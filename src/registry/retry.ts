import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { CodedError } from "../errors.ts";
import { givenUp, isTransient } from "./errors.ts";

export interface RetryPolicy {
  /** How often a request is tried in all. */
  readonly attempts: number;
  /** The first pause is at most this long; it doubles with every attempt. */
  readonly baseMs: number;
  readonly maxMs: number;
  /** A longer Retry-After is not waited for: the caller is told instead, and can do other work. */
  readonly maxWaitMs: number;
  /** Told of every pause: `why` is the failure's message, which names what was asked of whom. */
  readonly onWait?: (wait: { readonly why: string; readonly ms: number }) => void;
}

/** A broken transfer that got this much further, however many parts that took, is worth as many new attempts. */
export const progressBytes = 1024 * 1024;

/** Exponential back-off with full jitter: anything up to `base * 2^attempt`. */
export function backoffMs(policy: RetryPolicy, attempt: number): number {
  return Math.random() * Math.min(policy.maxMs, policy.baseMs * 2 ** attempt);
}

/** Waits, or ends early with the signal's error. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    throw givenUp(signal);
  }
}

/** How long a server that has asked for patience is left alone; shared by all requests that it would refuse alike. */
export class HostGate {
  readonly #until = new LRUCache<string, number>({ max: 1000 });

  block(key: string, ms: number): void {
    this.#until.set(key, Math.max(this.#until.get(key) ?? 0, performance.now() + ms));
  }

  /** @throws RateLimited when the wait would be longer than `maxWaitMs` */
  async pass(key: string, maxWaitMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = (this.#until.get(key) ?? 0) - performance.now();
      if (left <= 0) return;
      if (left > maxWaitMs)
        throw new CodedError("RateLimited", "the registry has asked to be left alone for a while", {
          retryAfterMs: left,
        });
      await pause(left, signal);
    }
  }
}

interface RetryContext {
  readonly policy: RetryPolicy;
  readonly gate: HostGate;
  /** Requests with the same key are held back together. */
  readonly key: string;
  readonly signal: AbortSignal;
  /** How much time there is for all attempts together. */
  readonly leftMs?: () => number;
}

/** Runs `attempt` until it succeeds, fails for good, or has failed too often. */
export async function withRetry<T>(context: RetryContext, attempt: () => Promise<T>): Promise<T> {
  const { policy, gate, key, signal, leftMs = () => Infinity } = context;
  const patienceMs = (): number => Math.min(policy.maxWaitMs, leftMs());
  for (let tried = 1; ; tried++) {
    await gate.pass(key, patienceMs(), signal);
    try {
      return await attempt();
    } catch (error) {
      if (!isTransient(error)) throw error;
      const { retryAfterMs } = error;
      if (retryAfterMs !== undefined) gate.block(key, retryAfterMs);
      const pauseMs = backoffMs(policy, tried - 1);
      // What has failed says more than that the time is over.
      if (tried >= policy.attempts || (retryAfterMs ?? 0) > patienceMs() || pauseMs > leftMs()) throw error;
      tell(policy, error, pauseMs);
      await pause(pauseMs, signal);
    }
  }
}

/** Nobody waits longer for a registry. */
export const maxRetryAfterMs = 3_600_000;

function tell({ onWait }: RetryPolicy, { message, retryAfterMs = 0 }: CodedError, pauseMs: number): void {
  onWait?.({ why: message, ms: Math.max(pauseMs, retryAfterMs) });
}
