/** A JSON object whose fields nobody has checked yet. */
export type Json = Readonly<Record<string, unknown>>;

export interface JsonLimits {
  /** How long the text may be: bytes, or characters where it is decoded already. */
  readonly maxBytes: number;
  /** Lists and objects in one another. */
  readonly maxDepth: number;
  /** Lists, objects, and what stands between their commas. */
  readonly maxValues: number;
}

/**
 * Documents of the field nest ten levels deep and hold some thousands of values; the largest index that is read, some two
 * hundred thousand. Every empty object takes 56 bytes of memory for its three of text.
 */
const defaults: JsonLimits = { maxBytes: 32 * 1024 * 1024, maxDepth: 100, maxValues: 400_000 };

/** What is wrong with a text: a phrase that goes after its name, such as `is not JSON`. It never quotes the text. */
export class JsonRefused extends Error {
  override readonly name = "JsonRefused";
}

/**
 * Reads JSON that somebody else has written. What it returns can be walked and written again without running out of stack.
 *
 * @param source UTF-8, or text
 * @throws JsonRefused
 */
export function parseJson(source: Uint8Array | string, limits: Partial<JsonLimits> = {}): unknown {
  const { maxBytes, maxDepth, maxValues } = { ...defaults, ...limits };
  if (source.length > maxBytes) throw new JsonRefused(`is larger than ${maxBytes} bytes`);
  try {
    const text = typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source);
    const { depth, values } = measure(text);
    if (depth > maxDepth) throw new JsonRefused(`nests more than ${maxDepth} levels deep`);
    if (values > maxValues) throw new JsonRefused(`has more than ${maxValues} values`);
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which may hold a password.
    throw error instanceof JsonRefused ? error : new JsonRefused("is not JSON");
  }
}

/** @throws JsonRefused also for anything but an object */
export function parseJsonObject(source: Uint8Array | string, limits: Partial<JsonLimits> = {}): Json {
  const value = parseJson(source, limits);
  if (!isObject(value)) throw new JsonRefused("is not a JSON object");
  return value;
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` where it is an object, otherwise an empty one: reading a field of a stranger's JSON never throws. */
export function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

const [quote, comma, backslash] = [0x22, 0x2c, 0x5c];
const [openList, openObject, closeList, closeObject] = [0x5b, 0x7b, 0x5d, 0x7d];

/** Both at least as large as what parsing makes of it, whether it is JSON or not. */
function measure(text: string): { depth: number; values: number } {
  let [open, depth, values] = [0, 0, 1];
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at);
    if (character === quote) at = endOfString(text, at + 1);
    else if (character === comma) values++;
    else if (character === openList || character === openObject) {
      values++;
      depth = Math.max(depth, ++open);
    } else if (character === closeList || character === closeObject) open--;
  }
  return { depth, values };
}

/** Where the string that begins at `from` is closed. */
function endOfString(text: string, from: number): number {
  for (let at = from; ; at++) {
    at = text.indexOf('"', at);
    if (at < 0) return text.length;
    let escapes = 0;
    while (at - escapes > from && text.charCodeAt(at - escapes - 1) === backslash) escapes++;
    if (escapes % 2 === 0) return at;
  }
}
