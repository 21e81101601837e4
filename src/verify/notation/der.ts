/** One DER element (ITU-T X.690): its tag byte and what it holds. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
}

/** @throws RangeError for what is no DER */
export function readElements(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = byteAt(bytes, at);
    const { length, start } = readLength(bytes, at + 1);
    if (start + length > bytes.length) throw new RangeError("DER element is longer than its container");
    elements.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return elements;
}

/** What a constructed element holds; nothing for an absent one. @throws RangeError */
export function childrenOf(element: Element | undefined): Element[] {
  return element === undefined ? [] : readElements(element.content);
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
  version: 0xa0,
  extensions: 0xa3,
} as const;

/** An object identifier in dotted form; empty for an absent one. */
export function readOid(element: Element | undefined): string {
  const parts: number[] = [];
  let value = 0;
  for (const byte of element?.content ?? []) {
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
