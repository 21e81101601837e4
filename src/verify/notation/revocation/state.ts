import type { X509Certificate } from "node:crypto";
import { childrenOf, context, derTag, type Element, readNumber, readTime } from "../der.ts";

/** One certificate of a proven chain, and who has issued it. */
export interface Link {
  readonly certificate: X509Certificate;
  readonly issuer: X509Certificate;
}

/** When it is asked. */
export interface Moment {
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** The latest time that somebody vouches for of the signature; undefined where nobody does. */
  readonly signedAt: number | undefined;
}

/** What is known of a certificate; `until` is when it will be said anew. */
export type State =
  | { readonly kind: "good"; readonly until: number }
  | { readonly kind: "revoked"; readonly until: number; readonly at: number; readonly reason: string };

/** RFC 5280, 5.3.1, by number. */
export const reasons = [
  "unspecified",
  "keyCompromise",
  "cACompromise",
  "affiliationChanged",
  "superseded",
  "cessationOfOperation",
  "certificateHold",
  "unused",
  "removeFromCRL",
  "privilegeWithdrawn",
  "aACompromise",
] as const;

/** A CRLReason. @throws RangeError */
export function reasonOf(element: Element | undefined): string {
  if (element === undefined) return "unspecified";
  const number = readNumber(element);
  return reasons[number] ?? `reason ${number}`;
}

/** Whether somebody vouches that the signature was made before the key had to be distrusted. */
export function isBefore(signedAt: number | undefined, invalidity: number | undefined): boolean {
  return signedAt !== undefined && invalidity !== undefined && signedAt < invalidity;
}

/** How far a server's clock may be ahead of ours. */
const maxSkewMs = 5 * 60_000;

/**
 * When an answer ends. Without an end it would be good for ever, and is not accepted.
 *
 * @throws RangeError for one that is over, or that has not begun
 */
export function assertCurrent(from: Element | undefined, to: Element | undefined, now: number): number {
  const [begins, ends] = [readTime(from), to === undefined ? undefined : readTime(to)];
  if (ends === undefined) throw new RangeError("it does not say when the next one comes (nextUpdate)");
  if (begins > now + maxSkewMs) throw new RangeError(`it is of the future (${new Date(begins).toISOString()})`);
  if (ends < now) throw new RangeError(`it has expired on ${new Date(ends).toISOString()}`);
  return ends;
}

/** `[number] EXPLICIT` of a sequence's elements; undefined where it is absent. */
export function tagged(elements: readonly Element[], number: number): Element | undefined {
  return childrenOf(elements.find(({ tag }) => tag === context(number)))[0];
}

/** Whether an element is one of the two times of ASN.1. */
export const isTime = (element: Element | undefined): boolean =>
  element?.tag === derTag.utcTime || element?.tag === derTag.generalizedTime;
