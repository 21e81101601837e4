import { CodedError } from "../errors.ts";
import { blockBytes, paddingOf } from "./header.ts";
import { decodeName, isZero, parseHeader, type RawHeader } from "./parse-header.ts";
import { quote } from "./path.ts";
import { checkGlobalPax, parsePax, type PaxRecords } from "./pax.ts";

export type ScannedType = "file" | "dir" | "symlink" | "hardlink" | "special";

/** An entry as the archive states it; `name` and `link` are not yet checked. */
export interface ScannedEntry {
  readonly type: ScannedType;
  readonly name: string;
  readonly link: string;
  /** As stated, perhaps with more than permission bits. */
  readonly mode: number;
  /** Bytes of the body; 0 for all but files. */
  readonly size: number;
  /** Where the body begins in the tar. */
  readonly offset: number;
}

export interface ScanHandler {
  entry(entry: ScannedEntry): void;
  /** The next piece of the body of the last file: `chunk[start..end)`. */
  data?(chunk: Buffer, start: number, end: number): void;
  /** The archive can be read, but not every reader would read it alike. */
  oddity?(reason: string): void;
}

export interface ScanLimits {
  readonly maxEntries: number;
  readonly maxNameBytes: number;
}

/** PAX and GNU long-name bodies are held in memory. */
const maxMetaBytes = 1024 * 1024;

/** What each type flag is (POSIX ustar; GNU's and star's additions are refused unless they only carry a name). */
const types: Readonly<Record<string, ScannedType>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "special",
  "4": "special",
  "5": "dir",
  "6": "special",
};

/**
 * A tar reader that is pushed chunks of any size and never waits: no streams, no copies of bodies.
 * It reads ustar, PAX, GNU long names and base-256 numbers and reports through `oddity` whatever is not plain ustar or PAX.
 */
export class TarScanner {
  readonly #handler: ScanHandler;
  readonly #limits: ScanLimits;
  readonly #carry = Buffer.alloc(blockBytes);
  #carried = 0;
  #state: "header" | "meta" | "body" | "padding" | "half-end" | "end" = "header";
  /** Bytes left of the body or padding. */
  #left = 0;
  #padding = 0;
  #position = 0;
  #entries = 0;
  #metaType = "";
  #meta: Buffer[] = [];
  #pax: PaxRecords | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;

  constructor(handler: ScanHandler, limits: ScanLimits) {
    this.#handler = handler;
    this.#limits = limits;
  }

  /** @throws ArchiveInvalid, ArchiveUnsupported, ArchiveTooManyEntries, ArchiveTooLarge; whatever the handler throws */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const next = this.#step(chunk, at);
      this.#position += next - at;
      at = next;
    }
  }

  /** Says that nothing follows. @throws ArchiveInvalid where the archive breaks off */
  finish(): void {
    if (this.#state === "end") return;
    if ((this.#state === "half-end" || this.#state === "header") && this.#carried === 0) {
      this.#refusePendingMeta();
      this.#note("the end of the archive is not marked");
      return;
    }
    throw new CodedError("ArchiveInvalid", "the archive breaks off in the middle of an entry");
  }

  #step(chunk: Buffer, at: number): number {
    switch (this.#state) {
      case "body":
        return this.#body(chunk, at);
      case "meta":
        return this.#metaBody(chunk, at);
      case "padding":
        return this.#skipPadding(chunk, at);
      case "end":
        if (!isZero(chunk, at, chunk.length))
          throw new CodedError("ArchiveInvalid", "the archive has data after its end");
        return chunk.length;
      default:
        return this.#block(chunk, at);
    }
  }

  /** Collects one whole block, without a copy when the chunk holds it. */
  #block(chunk: Buffer, at: number): number {
    if (this.#carried === 0 && chunk.length - at >= blockBytes) {
      this.#header(chunk, at, this.#position + blockBytes);
      return at + blockBytes;
    }
    const take = Math.min(blockBytes - this.#carried, chunk.length - at);
    chunk.copy(this.#carry, this.#carried, at, at + take);
    this.#carried += take;
    if (this.#carried === blockBytes) {
      this.#carried = 0;
      this.#header(this.#carry, 0, this.#position + take);
    }
    return at + take;
  }

  #header(block: Buffer, at: number, bodyOffset: number): void {
    if (block[at] === 0 && isZero(block, at, at + blockBytes)) {
      this.#refusePendingMeta();
      this.#state = this.#state === "half-end" ? "end" : "half-end";
      return;
    }
    if (this.#state === "half-end")
      throw new CodedError("ArchiveInvalid", "the archive goes on after a block of zeros");
    const header = parseHeader(block, at);
    if (header.oddity !== undefined) this.#note(header.oddity);
    const isMeta = "xLK".includes(header.typeflag);
    // A global header counts: any number of them may stand in a row.
    if (!isMeta && ++this.#entries > this.#limits.maxEntries) {
      throw new CodedError("ArchiveTooManyEntries", `the archive has more than ${this.#limits.maxEntries} entries`);
    }
    if (isMeta || header.typeflag === "g") this.#startMeta(header);
    else this.#entry(header, bodyOffset);
  }

  #entry(header: RawHeader, offset: number): void {
    const { name, link, size } = this.#effective(header);
    const type = this.#typeOf(header.typeflag, name);
    this.#checkName(name);
    if (type !== "symlink" && type !== "hardlink" && link !== "")
      this.#note("an entry that is not a link has a target");
    if (type === "symlink" || type === "hardlink") this.#checkName(link);
    if (type !== "file" && size !== 0) {
      throw new CodedError("ArchiveInvalid", `the archive's entry ${quote(name)} has a size although it is not a file`);
    }
    this.#state = "body";
    this.#left = size;
    this.#padding = paddingOf(size);
    this.#handler.entry({ type, name, link, size, offset, mode: header.mode });
    this.#endBodyIfDone();
  }

  /** The header with what the extended headers before it say. */
  #effective(header: RawHeader): { name: string; link: string; size: number } {
    const pax = this.#pax;
    const name = this.#longName ?? pax?.path ?? header.name;
    const link = this.#longLink ?? pax?.linkpath ?? header.link;
    this.#pax = this.#longName = this.#longLink = undefined;
    return { name, link, size: pax?.size ?? header.size };
  }

  #typeOf(typeflag: string, name: string): ScannedType {
    const type = types[typeflag];
    if (type === undefined) {
      throw new CodedError(
        "ArchiveUnsupported",
        `the archive's entry ${quote(name)} is of type ${quote(typeflag)}, which is not supported`,
      );
    }
    if (typeflag !== "0" && typeflag !== "5") this.#note("an entry is neither a plain file nor a directory");
    if (type === "file" && name.endsWith("/")) {
      this.#note("a file's name ends in a slash");
      return "dir";
    }
    return type;
  }

  #checkName(name: string): void {
    if (name.length === 0) throw new CodedError("ArchiveInvalid", "the archive has an entry without a name");
    if (Buffer.byteLength(name) > this.#limits.maxNameBytes) {
      throw new CodedError(
        "ArchiveUnsafePath",
        `the archive has a name longer than ${this.#limits.maxNameBytes} bytes: ${quote(name)}`,
      );
    }
  }

  #startMeta(header: RawHeader): void {
    if (header.size > maxMetaBytes)
      throw new CodedError(
        "ArchiveTooLarge",
        `the archive has an extended header of ${header.size} bytes; at most ${maxMetaBytes} are read`,
      );
    if (header.typeflag !== "x") this.#note("an extended header is not of PAX's local kind");
    // Go's reader forgets the local one then.
    if (header.typeflag === "g" && this.#isMetaPending)
      throw new CodedError("ArchiveInvalid", "a global header stands between an entry and its extended header");
    this.#metaType = header.typeflag;
    this.#meta = [];
    this.#left = header.size;
    this.#padding = paddingOf(header.size);
    this.#state = "meta";
    if (header.size === 0) this.#endMeta();
  }

  #metaBody(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#meta.push(Buffer.from(chunk.subarray(at, end)));
    this.#left -= end - at;
    if (this.#left === 0) this.#endMeta();
    return end;
  }

  #endMeta(): void {
    const body = Buffer.concat(this.#meta);
    this.#meta = [];
    this.#state = this.#padding > 0 ? "padding" : "header";
    this.#left = this.#padding;
    if (this.#metaType === "g") return checkGlobalPax(body);
    this.#keepMeta(body);
    if (this.#pax !== undefined && (this.#longName !== undefined || this.#longLink !== undefined)) {
      throw new CodedError("ArchiveInvalid", "an entry has both a PAX header and a GNU long name");
    }
  }

  #keepMeta(body: Buffer): void {
    const isRepeated = this.#metaType === "x" ? this.#pax : this.#metaType === "L" ? this.#longName : this.#longLink;
    if (isRepeated !== undefined) throw new CodedError("ArchiveInvalid", "an entry has two extended headers of a kind");
    if (this.#metaType === "x") {
      this.#pax = parsePax(body);
      if (this.#pax.oddity !== undefined) this.#note(this.#pax.oddity);
      return;
    }
    const end = body.indexOf(0);
    const name = decodeName(end === -1 ? body : body.subarray(0, end));
    if (this.#metaType === "L") this.#longName = name;
    else this.#longLink = name;
  }

  get #isMetaPending(): boolean {
    return this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
  }

  #refusePendingMeta(): void {
    if (this.#isMetaPending) {
      throw new CodedError("ArchiveInvalid", "the archive ends after an extended header");
    }
  }

  #body(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#handler.data?.(chunk, at, end);
    this.#left -= end - at;
    this.#endBodyIfDone();
    return end;
  }

  #endBodyIfDone(): void {
    if (this.#left > 0) return;
    this.#left = this.#padding;
    this.#state = this.#padding > 0 ? "padding" : "header";
  }

  #skipPadding(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = "header";
    return end;
  }

  #note(reason: string): void {
    this.#handler.oddity?.(reason);
  }
}
