import { CodedError } from "../errors.ts";

/** Longest name of a file on the file systems that consumers unpack to, in bytes. */
const maxPartBytes = 255;
/** Every part of a path is an entry in memory, and counts as one. */
const maxParts = 1024;

/** A part that is empty, `.` or `..`. */
const oddPart = /(?:^|\/)\.{0,2}(?:\/|$)/;

/**
 * The path an archive entry names, without `.` parts, doubled or trailing slashes; "" is the root of the tree.
 * The result is a key in memory and a name in the published tar; it is never opened on this machine.
 *
 * @throws ArchiveUnsafePath for an empty, absolute, climbing or immensely deep name, or one with a NUL
 */
export function normalisePath(name: string): string {
  if (name === "") throw unsafe(name, "it is empty");
  if (name.includes("\0")) throw unsafe(name, "it contains a NUL");
  if (name.startsWith("/")) throw unsafe(name, "it is absolute");
  if (!oddPart.test(name) && name.length < 2 * maxParts) return name;
  const parts = name.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) throw unsafe(name, "it contains '..'");
  if (parts.length > maxParts) throw unsafe(name, `it has more than ${maxParts} parts`);
  return parts.join("/");
}

/**
 * Why consumers of a Flux artifact would refuse or fail to unpack this path, or undefined. Judged after ignore
 * rules: fluxcd/pkg/tar refuses a whole artifact for one backslash, so that a user must be able to leave such files out.
 */
export function unpublishable(path: string): string | undefined {
  if (path.includes("\\")) return "it contains a backslash";
  if (path.includes("../")) return "it contains '../'";
  if (!path.isWellFormed()) return "it is not UTF-8";
  if (path.length > maxPartBytes / 4 && path.split("/").some((part) => Buffer.byteLength(part) > maxPartBytes)) {
    return `one of its parts is longer than ${maxPartBytes} bytes`;
  }
  return undefined;
}

/** Order of the UTF-8 bytes of two paths. UTF-16 code units differ from it only where surrogates meet U+E000–U+FFFF. */
export function comparePaths(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return rank(x) - rank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates above every other code unit, where the characters they encode belong. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/** The directory a path lies in; "" for the root. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash === -1 ? "" : path.slice(0, slash);
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A name as it may stand in a message: control characters and bytes that are not UTF-8 escaped, long ones cut. */
export function quote(name: string): string {
  const quoted = JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
  return quoted.replace(/\\udc([89a-f][0-9a-f])/g, "\\x$1");
}

/** A pattern in .gitignore syntax that matches the last part of a path, also where that cannot be written. */
export function ignorePatternOf(path: string): string {
  return baseName(path).replace(/[\\*?[\]!#\s\p{C}]/gu, "?");
}

function unsafe(name: string, reason: string): CodedError {
  return new CodedError(
    "ArchiveUnsafePath",
    `the archive has an entry named ${quote(name)}, which is refused: ${reason}`,
  );
}
