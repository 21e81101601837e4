import type { X509Certificate } from "node:crypto";
import { factsOf, readDer } from "./certificate-facts.ts";
import { childrenOf, type Element, readElements, readOid } from "./der.ts";

/** Attributes of a distinguished name by their short names: C, ST, O, CN, … */
export type DistinguishedName = ReadonlyMap<string, string>;

const mandatory = ["C", "ST", "O"];

/**
 * Reads a distinguished name in the form of RFC 4514, as notation's trusted identities are written.
 *
 * @returns what is wrong with it instead, where something is
 */
export function parseDistinguishedName(text: string): DistinguishedName | string {
  const parts = splitAttributes(text);
  if (parts === undefined) return "ends with a backslash or has a quote";
  const name = new Map<string, string>();
  for (const part of parts) {
    const equals = part.indexOf("=");
    const key = keyOf(part.slice(0, equals < 0 ? 0 : equals));
    const value = unescape(part.slice(equals + 1).trim());
    if (key === "" || value === "" || part.slice(equals + 1).startsWith("#"))
      return `has the part "${part.slice(0, 60)}", which is not NAME=value`;
    if (name.has(key)) return `has ${key} twice`;
    name.set(key, value);
  }
  const missing = mandatory.find((key) => !name.has(key));
  return missing === undefined ? name : `has no ${missing}; it needs at least C, ST and O`;
}

/** Short names of attributes (RFC 4519, 2); others go by their number. */
const shortNames = new Map([
  ["2.5.4.3", "CN"],
  ["2.5.4.5", "SERIALNUMBER"],
  ["2.5.4.6", "C"],
  ["2.5.4.7", "L"],
  ["2.5.4.8", "ST"],
  ["2.5.4.9", "STREET"],
  ["2.5.4.10", "O"],
  ["2.5.4.11", "OU"],
  ["2.5.4.17", "POSTALCODE"],
  ["0.9.2342.19200300.100.1.1", "UID"],
  ["0.9.2342.19200300.100.1.25", "DC"],
  ["1.2.840.113549.1.9.1", "EMAILADDRESS"],
]);

/**
 * The subject of a certificate, as far as each attribute stands there once. It is read from the certificate itself:
 * `toLegacyObject` of node:crypto leaves node:tls without `createSecureContext` where it is called first.
 *
 * @throws VerificationFailed for a name that cannot be read
 */
export function subjectName(certificate: X509Certificate): DistinguishedName {
  const values = new Map<string, string>();
  const repeated = new Set<string>();
  readDer(() => {
    const attributes = readElements(factsOf(certificate).subject).flatMap(childrenOf);
    for (const [type, value] of attributes.map(childrenOf)) {
      const id = readOid(type);
      const key = shortNames.get(id) ?? id;
      if (values.has(key)) repeated.add(key);
      else values.set(key, textOf(value));
    }
  });
  return new Map([...values].filter(([key]) => !repeated.has(key)));
}

/** A DirectoryString or IA5String (RFC 5280, 4.1.2.4). */
function textOf(value: Element | undefined): string {
  const { tag, content } = value ?? { tag: 0, content: Buffer.alloc(0) };
  if (tag === bmpString)
    return Buffer.from(content.subarray(0, content.length & ~1))
      .swap16()
      .toString("utf16le");
  return content.toString(tag === utf8String ? "utf8" : "latin1");
}

const utf8String = 0x0c;
const bmpString = 0x1e;

/** Whether every attribute of `wanted` stands in `found` with the same value. */
export function isPartOf(wanted: DistinguishedName, found: DistinguishedName): boolean {
  return [...wanted].every(([key, value]) => found.get(key) === value);
}

/** `S` is another name of `ST`. */
function keyOf(text: string): string {
  const key = text.trim().toUpperCase();
  return key === "S" ? "ST" : key;
}

/** Splits at commas, semicolons and pluses that no backslash escapes; undefined for what is malformed. */
function splitAttributes(text: string): string[] | undefined {
  const parts: string[] = [];
  let part = "";
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"' || (char === "\\" && at + 1 === text.length)) return undefined;
    if (char === "\\") part += char + text.charAt(++at);
    else if (",;+".includes(char)) {
      parts.push(part);
      part = "";
    } else part += char;
  }
  return [...parts, part];
}

function unescape(value: string): string {
  const bytes = value.replace(/(?:\\[0-9a-fA-F]{2})+/g, (hex) =>
    Buffer.from(hex.replaceAll("\\", ""), "hex").toString("utf8"),
  );
  return bytes.replace(/\\(.)/g, "$1");
}
