import type { EventLoopTurns } from "../../../event-loop-turns.ts";
import { extensionsOf, factsOf } from "../certificate-facts.ts";
import { childrenOf, derTag, type Element, elementAt, readTime, spanAt } from "../der.ts";
import { assertNoUnknown, listOid, type RevocationList } from "./list.ts";
import { isBefore, type Link, type Moment, reasonOf, type State } from "./state.ts";

/** Between two turns; an entry is some tens of bytes. */
const entriesPerStep = 512;

interface Entry {
  readonly at: number;
  readonly reason: string;
  /** Since when the key is not to be trusted. */
  readonly invalidity: number | undefined;
}

/** What a later entry can take back; everything else is for good. */
const passing = new Set(["certificateHold", "removeFromCRL"]);

/**
 * What the lists say of the certificate, the delta list after the other. It stands in none: good.
 *
 * @throws RangeError for entries that cannot be understood
 */
export async function stateIn(
  lists: readonly RevocationList[],
  { certificate }: Link,
  { signedAt, turns }: Pick<Moment, "signedAt"> & { readonly turns: EventLoopTurns },
): Promise<State> {
  const until = Math.min(...lists.map((list) => list.until));
  const { serial } = factsOf(certificate);
  let last: Entry | undefined;
  for (const { entries } of lists) {
    for await (const element of entriesOf(entries, serial, turns)) {
      const entry = readEntry(element);
      if (isBefore(signedAt, entry.invalidity)) return { kind: "good", until };
      if (!passing.has(entry.reason)) return { kind: "revoked", until, at: entry.at, reason: entry.reason };
      if (last === undefined || last.at <= entry.at) last = entry;
    }
  }
  if (last?.reason !== "certificateHold") return { kind: "good", until };
  return { kind: "revoked", until, at: last.at, reason: last.reason };
}

/** The entries of one certificate. A list may have a million others, of which nothing is kept. */
async function* entriesOf(list: Buffer, serial: Buffer, turns: EventLoopTurns): AsyncGenerator<Element> {
  for (let at = 0, read = 1; at < list.length; read++) {
    const entry = spanAt(list, at);
    const number = spanAt(list, entry.start);
    if (number.tag !== derTag.integer || number.end > entry.end)
      throw new RangeError("it has an entry without a number");
    const isSame = list.compare(serial, 0, serial.length, number.start, number.end) === 0;
    if (isSame) yield elementAt(list, at);
    at = entry.end;
    if (read % entriesPerStep === 0) await turns.next();
  }
}

function readEntry(element: Element): Entry {
  const [, date, list] = childrenOf(element);
  const extensions = extensionsOf(list);
  assertNoUnknown(extensions, [listOid.reason, listOid.invalidityDate]);
  const invalidity = extensions.get(listOid.invalidityDate)?.value;
  return {
    at: readTime(date),
    reason: reasonOf(extensions.get(listOid.reason)?.value),
    invalidity: invalidity && readTime(invalidity),
  };
}
