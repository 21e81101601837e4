import type { X509Certificate } from "node:crypto";
import { CodedError, messageOf } from "../../../errors.ts";
import { EventLoopTurns } from "../../../event-loop-turns.ts";
import { subjectOf } from "../certificate.ts";
import { factsOf } from "../certificate-facts.ts";
import type { Answers } from "./answers.ts";
import { stateIn } from "./entries.ts";
import { assertDelta, listOid, readList, type RevocationList } from "./list.ts";
import { ocspRequest, readOcspAnswer } from "./ocsp.ts";
import { type DistributionPoint, distributionPoints, serversOf } from "./servers.ts";
import type { Link, Moment, State } from "./state.ts";

/** What was found out about a chain. */
export interface ChainState {
  /** In words; undefined where no certificate was revoked, and all that can be asked about are known. */
  readonly problem: string | undefined;
  /** Milliseconds since the epoch: when the first of the answers ends. */
  readonly until: number;
}

interface Inquiry extends Moment {
  readonly answers: Answers;
  readonly signal: AbortSignal;
  /** What to write to accept that nothing is known. */
  readonly advice: string;
}

/** Addresses come from certificates. */
const maxShown = 200;

/**
 * Asks which of the certificates were revoked, as the trust policy specification says ("Certificate Revocation Evaluation"):
 * OCSP first, then lists. One that names no server cannot be revoked, and neither can a root.
 *
 * @param links of a chain that is proven to lead to the trust store: its addresses are requested
 * @throws what the signal was aborted with
 */
export async function chainState(links: readonly Link[], inquiry: Inquiry): Promise<ChainState> {
  const unknown: string[] = [];
  let until = Infinity;
  // From the root: what an authority that was revoked says of the next is worth nothing.
  for (const link of links.toReversed()) {
    const subject = subjectOf(link.certificate);
    try {
      const state = await stateOf(link, inquiry);
      until = Math.min(until, state.until);
      if (state.kind === "revoked")
        return { problem: `${subject} was revoked on ${timeText(state.at)} (${state.reason})`, until };
    } catch (error) {
      unknown.push(`whether ${subject} was revoked is not known: ${reasonOf(error, inquiry.signal)}`);
    }
  }
  const problem = unknown.length === 0 ? undefined : `${unknown.join("; ")}; ${inquiry.advice} to accept that`;
  return { problem, until };
}

/** The certificates below and at the last of `chain` that `isTrusted`, each with its issuer; nobody has proven the others. */
export function provenLinks(
  chain: readonly X509Certificate[],
  isTrusted: (certificate: X509Certificate) => boolean,
): Link[] {
  const proven = chain.slice(0, chain.findLastIndex(isTrusted) + 1);
  return proven.flatMap((certificate, at) => {
    const issuer = chain[at + 1];
    return issuer === undefined ? [] : [{ certificate, issuer }];
  });
}

async function stateOf(link: Link, inquiry: Inquiry): Promise<State> {
  const { ocsp, lists } = serversOf(link.certificate);
  let problem: string | undefined;
  if (ocsp.length > 0) {
    try {
      return await firstOf(ocsp, inquiry.signal, async (address) => await askResponder(address, link, inquiry));
    } catch (error) {
      problem = reasonOf(error, inquiry.signal);
      if (lists.length === 0) throw error;
    }
  }
  try {
    return await askLists(lists, link, inquiry);
  } catch (error) {
    throw new RangeError([problem, reasonOf(error, inquiry.signal)].filter(Boolean).join("; "), { cause: error });
  }
}

async function askResponder(address: string, link: Link, inquiry: Inquiry): Promise<State> {
  const asked = { address, request: ocspRequest(link), issuer: link.issuer };
  const prove = (body: Buffer) => readOcspAnswer(body, link, inquiry);
  const { state, responder } = await inquiry.answers.get(asked, prove, inquiry.signal);
  if (responder === undefined) return state;
  // Only lists can say it of a responder: it could not be asked about itself.
  const { lists } = serversOf(responder);
  const ofResponder = await askLists(lists, { certificate: responder, issuer: link.issuer }, inquiry);
  if (ofResponder.kind === "revoked") throw new RangeError("it is signed with a certificate that was revoked");
  return { ...state, until: Math.min(state.until, ofResponder.until) };
}

/** Good where all lists say so, revoked where any does. */
async function askLists(points: readonly DistributionPoint[], link: Link, inquiry: Inquiry): Promise<State> {
  let until = Infinity;
  for (const point of points) {
    const state = await firstOf(
      point,
      inquiry.signal,
      async (address) => await askList({ address, point }, link, inquiry),
    );
    if (state.kind === "revoked") return state;
    until = Math.min(until, state.until);
  }
  return { kind: "good", until };
}

async function askList(
  at: { readonly address: string; readonly point: DistributionPoint },
  link: Link,
  inquiry: Inquiry,
): Promise<State> {
  const base = await readListAt(at, link, inquiry);
  if (base.extensions.has(listOid.deltaIndicator))
    throw new RangeError("it is a delta list, which is not a list itself");
  const own = distributionPoints(base.extensions, listOid.freshest);
  const points = own.length > 0 ? own : distributionPoints(factsOf(link.certificate).extensions, listOid.freshest);
  const addresses = points.flat();
  const lists = [base];
  if (addresses.length > 0) {
    const { signal } = inquiry;
    const delta = await firstOf(addresses, signal, async (address) => {
      const read = await readListAt({ ...at, address }, link, inquiry);
      assertDelta(read, base);
      return read;
    });
    lists.push(delta);
  }
  return await stateIn(lists, link, { signedAt: inquiry.signedAt, turns: new EventLoopTurns(inquiry.signal) });
}

async function readListAt(
  { address, point }: { readonly address: string; readonly point: DistributionPoint },
  link: Link,
  { now, answers, signal }: Inquiry,
): Promise<RevocationList> {
  const prove = (body: Buffer): RevocationList => readList(body, link, { now, point });
  return await answers.get({ address, issuer: link.issuer }, prove, signal);
}

/** The first address that gives something that counts. @throws RangeError with what is wrong with each */
async function firstOf<T>(
  addresses: readonly string[],
  signal: AbortSignal,
  ask: (address: string) => Promise<T>,
): Promise<T> {
  const problems: string[] = [];
  for (const address of addresses) {
    try {
      return await ask(address);
    } catch (error) {
      problems.push(`${address.slice(0, maxShown)}: ${reasonOf(error, signal)}`);
    }
  }
  throw new RangeError(problems.join("; "));
}

/** Why an answer does not count; everything else passes through. */
function reasonOf(error: unknown, signal: AbortSignal): string {
  const isReason = error instanceof RangeError || (error instanceof CodedError && error.code === "VerificationFailed");
  if (signal.aborted || !isReason) throw error;
  return messageOf(error);
}

const timeText = (time: number): string => new Date(time).toISOString();
