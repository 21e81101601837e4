import type { Next } from "./ports.ts";

const shortestWaitMs = 1000;
const longestWaitMs = 24 * 3_600_000;

/** The same, or when what is too young is old enough, whichever comes first. */
export function sooner(next: Next, until: number | undefined, now: Date): Next {
  if (until === undefined) return next;
  const milliseconds = Math.min(longestWaitMs, Math.max(shortestWaitMs, until - now.getTime()));
  return next.kind === "after" && next.milliseconds <= milliseconds ? next : { kind: "after", milliseconds };
}
