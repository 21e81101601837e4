import { messageOf } from "../errors.ts";
import { type Json, parseJsonObject } from "../text/json.ts";
import { refused } from "./findings.ts";

/**
 * @param what names the text in the message, such as `its payload`
 * @throws VerificationFailed for anything but a JSON object
 */
export function parseObject(bytes: Uint8Array, what: string): Json {
  try {
    return parseJsonObject(bytes);
  } catch (cause) {
    throw refused(`${what} ${messageOf(cause)}`, cause);
  }
}

/** A stranger's value in a message: shortened, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  try {
    return (JSON.stringify(value) ?? typeof value).replace(/^"|"$/g, "").slice(0, 160);
  } catch {
    // Numbers of CBOR that JSON has not, and what nests too deep.
    return `a ${typeof value}`;
  }
}
