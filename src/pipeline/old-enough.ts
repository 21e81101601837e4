import { CodedError, codeOf, messageOf } from "../errors.ts";
import { formatVersion } from "../oci/reference.ts";
import type { Resolved } from "./resolve.ts";

/** A version that is not taken yet: `verify.minAge` is not over. */
export interface Cooling {
  /** The TooYoung of the newest version. */
  readonly error: unknown;
  /** What is to be taken next. */
  readonly newest: Resolved;
  /** Milliseconds since the epoch: when the first of the versions that wait is old enough. */
  readonly until: number | undefined;
}

export interface OldEnoughSteps<T> {
  /** Takes a version. @throws TooYoung where `verify.minAge` is not over */
  readonly attempt: (resolved: Resolved) => Promise<T>;
  /** What may be taken in the place of one that is too young; undefined where nothing is left. */
  readonly next: (young: Resolved) => Promise<Resolved | undefined>;
}

/**
 * Takes what was resolved or, while that is too young for `verify.minAge`, the newest that is old enough.
 * @throws TooYoung of the newest where none is, what the steps throw
 */
export async function takeOldEnough<T>(
  newest: Resolved,
  { attempt, next }: OldEnoughSteps<T>,
): Promise<{ readonly taken: T; readonly cooling: Cooling | undefined }> {
  let cooling: Cooling | undefined;
  for (let resolved = newest; ;) {
    try {
      return { taken: await attempt(resolved), cooling };
    } catch (error) {
      if (codeOf(error) !== "TooYoung") throw error;
      cooling = coolingOf(error, resolved, cooling);
      const other = await next(resolved);
      if (other === undefined) throw cooling.error;
      resolved = other;
    }
  }
}

/** @param before of a version that is newer still */
function coolingOf(error: unknown, resolved: Resolved, before: Cooling | undefined): Cooling {
  const own = untilOf(error);
  const until = before?.until === undefined || (own !== undefined && own < before.until) ? own : before.until;
  return { error: before?.error ?? error, newest: before?.newest ?? resolved, until };
}

/** When what is too young is old enough, in milliseconds since the epoch; undefined for any other error. */
export function untilOf(error: unknown): number | undefined {
  const until = error instanceof CodedError && error.code === "TooYoung" ? error.details?.["until"] : undefined;
  return typeof until === "number" ? until : undefined;
}

/** What waits, and until when. */
export function coolingMessage({ newest: { tag, root }, error }: Cooling): string {
  return `${formatVersion({ tag, digest: root.digest })} waits for verify.minAge: ${messageOf(error)}`;
}
