import { CodedError, messageOf } from "../../errors.ts";
import type { KubeClient, ObjectKey } from "../client.ts";
import { sleep, systemClock, type Clock } from "../clock.ts";
import { LeaseLock } from "./lease-lock.ts";

/** Each must be clearly shorter than the one before. */
export interface LeaseTimings {
  /** How long the others wait after a sign of life. */
  readonly leaseDurationMs: number;
  /** How long the leader goes on without having been able to renew. */
  readonly renewDeadlineMs: number;
  /** Pause between attempts. */
  readonly retryPeriodMs: number;
}

export interface LeaderElectionOptions {
  readonly client: KubeClient;
  /** Where the Lease is. */
  readonly key: ObjectKey;
  /** Names this process alone, also after a restart. */
  readonly identity: string;
  readonly timings: LeaseTimings;
  /**
   * The work of the leader. It must have stopped as soon as `lost` is aborted: another leader begins soon after. The Lease is kept until
   * it returns, so that a graceful stop is not a race.
   */
  readonly onLeading: (lost: AbortSignal) => Promise<void>;
  /** Give the Lease up after the work, so that another replica need not wait. Default: true. */
  readonly release?: boolean;
  /** An attempt that failed; there will be others. */
  readonly onProblem: (error: unknown) => void;
  /** Ends the wait for leadership. To end the work is up to `onLeading`. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** From 0 to 1. */
  readonly random?: () => number;
}

type Context = LeaderElectionOptions & { readonly clock: Clock; readonly lock: LeaseLock };

/** The renew deadline leaves room for a pause of this factor, as in client-go. */
const jitterFactor = 1.2;
/** Waiting replicas spread their attempts by this share of the pause. */
const spread = 0.2;

/**
 * Waits for leadership and leads until `onLeading` returns; returns without having led where the signal is aborted before.
 * Nobody else can lead while `lost` is not aborted, as long as clocks run at about the same speed: leadership ends `renewDeadlineMs`
 * after the start of the last renewal that succeeded, and others wait `leaseDurationMs` after they have seen it.
 *
 * @throws InvalidSpec for timings that cannot work
 * @throws KubeConflict, KubeUnreachable where leadership was lost
 */
export async function runLeaderElection(options: LeaderElectionOptions): Promise<void> {
  checkTimings(options.timings);
  const { client, key, identity, timings, clock = systemClock } = options;
  const context: Context = {
    ...options,
    clock,
    lock: new LeaseLock({ client, key, identity, leaseDurationMs: timings.leaseDurationMs, clock }),
  };
  const renewedAt = await acquire(context);
  if (renewedAt !== undefined) await lead(context, renewedAt);
}

/** @throws InvalidSpec */
function checkTimings({ leaseDurationMs, renewDeadlineMs, retryPeriodMs }: LeaseTimings): void {
  if (leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * jitterFactor && retryPeriodMs > 0) return;
  throw new CodedError(
    "InvalidSpec",
    `leader election cannot work with a lease duration of ${leaseDurationMs} ms, a renew deadline of ${renewDeadlineMs} ms and a retry period of ${retryPeriodMs} ms; ` +
      `each must be shorter than the one before, the last by a factor of more than ${jitterFactor}`,
  );
}

/** When the attempt began that succeeded; undefined where the signal was aborted first. */
async function acquire(context: Context): Promise<number | undefined> {
  const { signal, timings, clock, lock, random = Math.random } = context;
  while (!signal.aborted) {
    const startedAt = clock.now();
    if (await attempt(context, signal)) return startedAt;
    const pauseMs = timings.retryPeriodMs * (1 + spread * random());
    // A leader that died is replaced at the moment its Lease runs out, not at the next look.
    await sleep(clock, Math.min(pauseMs, lock.expiresInMs || pauseMs), signal);
  }
  return undefined;
}

async function lead(context: Context, renewedAt: number): Promise<void> {
  const lost = new AbortController();
  const finished = new AbortController();
  const kept = keep(context, renewedAt, lost, finished.signal);
  try {
    await Promise.race([context.onLeading(lost.signal), failWhen(lost.signal)]);
    lost.signal.throwIfAborted();
  } finally {
    finished.abort();
    if (!lost.signal.aborted) {
      await kept;
      if (context.release !== false) await release(context);
    }
  }
}

/** Renews the Lease until the work has finished; aborts `lost` in time where that does not succeed. */
async function keep(context: Context, renewedAt: number, lost: AbortController, finished: AbortSignal): Promise<void> {
  const { clock, timings, lock } = context;
  const lose = (code: "KubeConflict" | "KubeUnreachable", why: string): void => {
    lost.abort(new CodedError(code, `leadership (Lease ${context.key.namespace}/${context.key.name}) is lost: ${why}`));
  };
  // A timer of its own: a request that hangs must not prolong leadership.
  const arm = (since: number): (() => void) =>
    clock.after(since + timings.renewDeadlineMs - clock.now(), () =>
      lose("KubeUnreachable", `it could not be renewed for ${timings.renewDeadlineMs} ms`),
    );
  let disarm = arm(renewedAt);
  const over = AbortSignal.any([finished, lost.signal]);
  for (;;) {
    await sleep(clock, timings.retryPeriodMs, over);
    if (over.aborted) break;
    const startedAt = clock.now();
    const renewed = await attempt(context, over);
    if (over.aborted) break;
    if (renewed) {
      disarm();
      disarm = arm(startedAt);
    } else if (lock.holder !== undefined && lock.holder !== context.identity)
      lose("KubeConflict", `it is held by ${lock.holder}`);
  }
  disarm();
}

/** One attempt that takes no longer than the renew deadline. */
async function attempt(context: Context, signal: AbortSignal): Promise<boolean> {
  const { lock, clock, timings, onProblem } = context;
  const timeout = new AbortController();
  const cancel = clock.after(timings.renewDeadlineMs, () => timeout.abort());
  try {
    return await lock.acquireOrRenew(AbortSignal.any([signal, timeout.signal]));
  } catch (error) {
    if (!signal.aborted) onProblem(error);
    return false;
  } finally {
    cancel();
  }
}

async function release({ lock, clock, timings, onProblem, key }: Context): Promise<void> {
  const timeout = new AbortController();
  const cancel = clock.after(timings.renewDeadlineMs, () => timeout.abort());
  try {
    await lock.release(timeout.signal);
  } catch (error) {
    onProblem(
      new CodedError(
        "KubeUnreachable",
        `Lease ${key.namespace}/${key.name} could not be given up: ${messageOf(error)}`,
        { cause: error },
      ),
    );
  } finally {
    cancel();
  }
}

async function failWhen(signal: AbortSignal): Promise<never> {
  return await new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}
