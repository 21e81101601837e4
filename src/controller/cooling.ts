import { CodedError, messageOf } from "../errors.ts";
import { formatVersion } from "../oci/reference.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import type { Next } from "./ports.ts";

/** A version that is not taken yet: `verify.minAge` is not over. */
export interface Cooling {
  /** The TooYoung of the newest version. */
  readonly error: unknown;
  /** What is to be taken next, for the condition. */
  readonly newest: Resolved;
  /** Milliseconds since the epoch: when the first of the versions that wait is old enough. */
  readonly until: number | undefined;
}

/** @param before of a version that is newer still */
export function coolingOf(error: unknown, resolved: Resolved, before: Cooling | undefined): Cooling {
  const own = untilOf(error);
  const until = before?.until === undefined || (own !== undefined && own < before.until) ? own : before.until;
  return { error: before?.error ?? error, newest: before?.newest ?? resolved, until };
}

/** When what is too young is old enough, in milliseconds since the epoch; undefined for any other error. */
export function untilOf(error: unknown): number | undefined {
  const until = error instanceof CodedError && error.code === "TooYoung" ? error.details?.["until"] : undefined;
  return typeof until === "number" ? until : undefined;
}

/** For the conditions: what waits, and until when. */
export function coolingMessage({ newest: { tag, root }, error }: Cooling): string {
  return `${formatVersion({ tag, digest: root.digest })} waits for verify.minAge: ${messageOf(error)}`;
}

const shortestWaitMs = 1000;
const longestWaitMs = 24 * 3_600_000;

/** The same, or when what is too young is old enough, whichever comes first. */
export function sooner(next: Next, until: number | undefined, now: Date): Next {
  if (until === undefined) return next;
  const milliseconds = Math.min(longestWaitMs, Math.max(shortestWaitMs, until - now.getTime()));
  return next.kind === "after" && next.milliseconds <= milliseconds ? next : { kind: "after", milliseconds };
}
