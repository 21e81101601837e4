/**
 * `Retry-After` in milliseconds (RFC 9110, 10.2.3): seconds, or a date, which is read against the response's own `Date`
 * because clocks differ. Undefined for anything else.
 *
 * @param date the header `Date` of the same response
 * @param maxMs nobody waits longer, whatever the header says
 */
export function retryAfterMs(
  header: string | readonly string[] | undefined,
  date: string | readonly string[] | undefined,
  maxMs: number,
): number | undefined {
  if (typeof header !== "string") return undefined;
  const text = header.trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Math.min(Number(text) * 1000, maxMs);
  // Date.parse alone would take "-5" for a year.
  const at = /^[A-Z][a-z]{2,8},? /.test(text) ? Date.parse(text) : NaN;
  const now = typeof date === "string" ? Date.parse(date) : NaN;
  if (Number.isNaN(at)) return undefined;
  return Math.min(Math.max(0, at - (Number.isNaN(now) ? Date.now() : now)), maxMs);
}
