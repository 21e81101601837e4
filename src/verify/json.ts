import { refused } from "./findings.ts";

export type Json = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `value` where it is an object, otherwise an empty one: reading a field of a stranger's JSON never throws. */
export function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

/**
 * @param what names the text in the message, such as `its payload`
 * @throws VerificationFailed for anything but a JSON object
 */
export function parseObject(bytes: Uint8Array, what: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw refused(`${what} is not JSON`, cause);
  }
  if (!isObject(value)) throw refused(`${what} is not a JSON object`);
  return value;
}

/** A stranger's value in a message: shortened, on one line. */
export function show(value: unknown): string {
  return value === undefined ? "nothing" : JSON.stringify(value).replace(/^"|"$/g, "").slice(0, 160);
}
