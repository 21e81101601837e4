import type { X509Certificate } from "node:crypto";

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

/** The subject of a certificate, as far as each attribute stands there once. */
export function subjectName(certificate: X509Certificate): DistinguishedName {
  const subject = certificate.toLegacyObject().subject as unknown as Record<string, string | string[]>;
  return new Map(
    Object.entries(subject).flatMap(([key, value]) =>
      typeof value === "string" ? [[keyOf(key), value] as const] : [],
    ),
  );
}

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
