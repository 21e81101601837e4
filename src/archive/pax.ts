import { CodedError } from "../errors.ts";
import { decodeName } from "./parse-header.ts";

/** What PAX records change about the entry that follows them (POSIX pax, "pax Extended Header"). */
export interface PaxRecords {
  readonly path?: string;
  readonly linkpath?: string;
  readonly size?: number;
  /** Why a strict reader could differ; undefined when there are only path, size and mtime, each once. */
  readonly oddity: string | undefined;
}

/** How many records one header may have; real ones have some ten. */
const maxRecords = 10_000;

const plainKeys = new Set(["path", "size", "mtime"]);
/** Seconds since 1970 as every reader takes them; they are not used here. */
const plainTime = /^[0-9]{1,11}(?:\.[0-9]{1,9})?$/;

/** @throws ArchiveInvalid, ArchiveUnsupported (sparse files) */
export function parsePax(body: Buffer): PaxRecords {
  const values = new Map<string, string>();
  let oddity: string | undefined;
  for (const [key, value] of splitRecords(body)) {
    if (key.startsWith("GNU.sparse."))
      throw new CodedError("ArchiveUnsupported", "the archive has a sparse file; pack it without --sparse");
    oddity ??= oddityOf(key, value, values.has(key));
    values.set(key, value);
  }
  const [path, linkpath, size] = [values.get("path"), values.get("linkpath"), values.get("size")];
  // An empty record leaves the header's own value, as in Go's reader.
  return {
    ...(path ? { path } : {}),
    ...(linkpath ? { linkpath } : {}),
    ...(size ? { size: parseSize(size) } : {}),
    oddity,
  };
}

function oddityOf(key: string, value: string, isRepeated: boolean): string | undefined {
  if (isRepeated) return "a PAX record is repeated";
  if (!plainKeys.has(key)) return "a PAX header has other records than path, size and mtime";
  if (key === "mtime" && !plainTime.test(value)) return "a PAX time is written unusually";
  return value === "" ? "a PAX record is empty" : undefined;
}

/** Global records may carry comments; one that renames every following entry is read differently by every reader. */
export function checkGlobalPax(body: Buffer): void {
  for (const [key] of splitRecords(body)) {
    if (key === "path" || key === "linkpath" || key === "size" || key.startsWith("GNU.sparse.")) {
      throw new CodedError(
        "ArchiveUnsupported",
        `the archive has a global PAX record '${key}', which readers disagree about`,
      );
    }
  }
}

/** Splits `<length> <key>=<value>\n` records, where the length counts the whole record. */
function splitRecords(body: Buffer): [string, string][] {
  const records: [string, string][] = [];
  for (let at = 0; at < body.length;) {
    if (records.length === maxRecords)
      throw new CodedError("ArchiveTooLarge", `the archive has a PAX header of more than ${maxRecords} records`);
    const space = body.indexOf(0x20, at);
    const digits = space === -1 ? "" : body.toString("latin1", at, Math.min(space, at + 8));
    const end = at + Number(digits);
    if (!/^[1-9][0-9]*$/.test(digits) || end > body.length || end <= space + 2) throw malformed();
    records.push(splitRecord(body.subarray(space + 1, end)));
    at = end;
  }
  return records;
}

function splitRecord(record: Buffer): [string, string] {
  const equals = record.indexOf(0x3d);
  if (equals < 1 || record.at(-1) !== 0x0a) throw malformed();
  const key = record.toString("latin1", 0, equals);
  const value = record.subarray(equals + 1, -1);
  if (key !== "path" && key !== "linkpath") return [key, value.toString("latin1")];
  if (value.includes(0)) throw malformed();
  return [key, decodeName(value)];
}

function parseSize(value: string): number {
  const size = Number(value);
  if (!/^[0-9]{1,16}$/.test(value) || !Number.isSafeInteger(size)) throw malformed();
  return size;
}

function malformed(): CodedError {
  return new CodedError("ArchiveInvalid", "the archive has a malformed PAX header");
}
