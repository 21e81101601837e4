/** One DER element (ITU-T X.690): its tag byte and what it holds. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With its tag and length: what signatures are over. */
  readonly raw: Buffer;
}

/** Certificates, answers and tokens hold tens; the entries of a list, which may be a million, are read by `spanAt`. */
const maxElements = 1000;
/** Object identifiers have some ten bytes. */
const maxOidBytes = 100;

/** @throws RangeError for what is not DER, and for more elements than anybody needs: a stranger's bytes could be millions */
export function readElements(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    if (elements.length === maxElements) throw new RangeError(`DER has more than ${maxElements} elements side by side`);
    const element = elementAt(bytes, at);
    elements.push(element);
    at += element.raw.length;
  }
  return elements;
}

/** @throws RangeError for what is not DER */
export function elementAt(bytes: Buffer, at: number): Element {
  const { tag, start, end } = spanAt(bytes, at);
  return { tag, content: bytes.subarray(start, end), raw: bytes.subarray(at, end) };
}

/** The same by where its content is, for who looks at a million of them. @throws RangeError for what is no DER */
export function spanAt(bytes: Buffer, at: number): { tag: number; start: number; end: number } {
  const tag = byteAt(bytes, at);
  const { length, start } = readLength(bytes, at + 1);
  const end = start + length;
  if (end > bytes.length) throw new RangeError("DER element is longer than its container");
  return { tag, start, end };
}

/** The one element that `bytes` are. @throws RangeError also for what follows it */
export function readElement(bytes: Buffer): Element {
  const element = elementAt(bytes, 0);
  if (element.raw.length < bytes.length) throw new RangeError("something follows the DER element");
  return element;
}

/** What a constructed element holds; nothing for an absent one. @throws RangeError */
export function childrenOf(element: Element | undefined): Element[] {
  return element === undefined ? [] : readElements(element.content);
}

/** The element itself where it has this tag. @throws RangeError */
export function expectTag(element: Element | undefined, tag: number): Element {
  if (element?.tag === tag) return element;
  throw new RangeError(`DER has tag ${element?.tag ?? "nothing"} instead of ${tag}`);
}

function readLength(bytes: Buffer, at: number): { length: number; start: number } {
  const first = byteAt(bytes, at);
  if (first < 0x80) return { length: first, start: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw new RangeError("DER length is indefinite or too large");
  byteAt(bytes, at + count);
  return { length: bytes.readUIntBE(at + 1, count), start: at + 1 + count };
}

function byteAt(bytes: Buffer, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new RangeError("DER ends early");
  return byte;
}

export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** Context-specific, with something inside: `[n]` in ASN.1. */
export const context = (number: number): number => 0xa0 | number;
/** Context-specific, a value itself: `[n] IMPLICIT` of a simple type. */
export const contextValue = (number: number): number => 0x80 | number;

/** An object identifier in dotted form; empty for an absent one. @throws RangeError for one that is too long */
export function readOid(element: Element | undefined): string {
  const bytes = element?.content ?? Buffer.alloc(0);
  if (bytes.length > maxOidBytes) throw new RangeError(`DER has an object identifier of ${bytes.length} bytes`);
  const parts: number[] = [];
  let value = 0;
  for (const byte of bytes) {
    value = value * 128 + (byte & 0x7f);
    if (byte & 0x80) continue;
    if (parts.length === 0) {
      const root = Math.min(Math.floor(value / 40), 2);
      parts.push(root, value - root * 40);
    } else parts.push(value);
    value = 0;
  }
  return parts.join(".");
}

/** A small number that is not negative, of whatever tag. @throws RangeError */
export function readNumber(element: Element | undefined): number {
  const content = element?.content ?? Buffer.alloc(0);
  if (content.length === 0 || content.length > 6 || (content[0] ?? 0) > 0x7f)
    throw new RangeError("DER number is missing, negative or too large");
  return content.readUIntBE(0, content.length);
}

/** UTCTime or GeneralizedTime in UTC, in milliseconds since the epoch. @throws RangeError */
export function readTime(element: Element | undefined): number {
  const isShort = element?.tag === derTag.utcTime;
  const text = (isShort ? element : expectTag(element, derTag.generalizedTime)).content.toString("latin1");
  // RFC 5280, 4.1.2.5.1: two digits are of 1950 to 2049.
  const full = isShort ? `${Number(text.slice(0, 2)) < 50 ? "20" : "19"}${text}` : text;
  const iso = full.replace(/^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)((?:\.\d{1,9})?Z)$/, "$1-$2-$3T$4:$5:$6$7");
  const time = Date.parse(iso);
  if (iso === full || Number.isNaN(time)) throw new RangeError("DER has a time that is none");
  return time;
}

/** What a bit string of whole bytes holds; the first byte counts the unused bits of the last one. @throws RangeError */
export function readBits(element: Element | undefined): Buffer {
  const { content } = expectTag(element, derTag.bitString);
  if (content[0] !== 0) throw new RangeError("DER bit string is not of whole bytes");
  return content.subarray(1);
}

/** A DER element, for the few that are written here. */
export function writeElement(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length > 0xffff) throw new RangeError("DER element is too large to be written");
  const size = length < 0x80 ? [length] : length <= 0xff ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
