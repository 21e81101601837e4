import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Digest } from "../oci/types.ts";
import type { Budget } from "./budget.ts";
import { CanonicalTar } from "./canonical.ts";
import { inflateMember, type Member } from "./decompress.ts";
import { gzipHeaderLength } from "./gzip-header.ts";
import { ignoreFile, type Ignore } from "./ignore.ts";
import { releaseOutput } from "./output-buffers.ts";
import { baseName, comparePaths, normalisePath, parentOf, unpublishable } from "./path.ts";
import { SeenPaths } from "./seen-paths.ts";
import { TarScanner, type ScannedEntry, type ScanHandler } from "./scanner.ts";

/** Whether the bytes of a gzip-compressed tar can be published as they are. */
export type Verdict =
  /** Yes, and this is the digest of the canonical tar of the same content. */
  | { readonly as: "verbatim"; readonly contentDigest: Digest }
  /** The bytes are fine, but the digest or the ignore rules need the whole tree: out of order, or a .sourceignore. */
  | { readonly as: "unordered" }
  /** No: it must be rewritten, or refused. */
  | { readonly as: "rewrite"; readonly reason: string };

const hashBlockBytes = 256 * 1024;
const minHashBlockBytes = 4096;
const gzipTrailerBytes = 8;
const maxGzipHeaderBytes = 66 * 1024;
/** Permissions without which whoever unpacks an entry cannot use it. */
const readable = { file: 0o400, dir: 0o700 } as const;

/**
 * Judges a gzip-compressed tar while it is being downloaded. Strict, because Go's archive/tar and not this program will read
 * the bytes: whatever two readers could see differently is for the rewrite. It never throws for what the archive is;
 * after its mind is made up it only counts.
 */
export class VerbatimScan {
  readonly #budget: Budget;
  readonly #judge: EntryJudge;
  readonly #scanner: TarScanner;
  #head: Buffer | undefined = Buffer.alloc(0);
  #headerLength = 0;
  #member: Member | undefined;
  #deflateEnded = false;
  #total = 0;
  #tail: Buffer = Buffer.alloc(0);
  #crc = 0;
  #expanded = 0;

  constructor(ignore: Ignore, budget: Budget) {
    this.#budget = budget;
    this.#judge = new EntryJudge(ignore, budget);
    this.#scanner = new TarScanner(this.#judge, budget.limits);
  }

  /** The next bytes of the layer. */
  async write(chunk: Buffer): Promise<void> {
    this.#total += chunk.length;
    this.#tail = Buffer.from(
      chunk.length >= gzipTrailerBytes
        ? chunk.subarray(-gzipTrailerBytes)
        : Buffer.concat([this.#tail, chunk]).subarray(-gzipTrailerBytes),
    );
    if (this.#judge.reason !== undefined || this.#deflateEnded) return;
    try {
      const deflated = this.#head === undefined ? chunk : this.#passHeader(Buffer.concat([this.#head, chunk]));
      if (deflated.length > 0) await this.#inflate(deflated);
    } catch (error) {
      this.#giveUp(error);
    }
  }

  /** The layer is complete. */
  async finish(): Promise<Verdict> {
    try {
      if (this.#judge.reason === undefined) await this.#checkEnd();
    } catch (error) {
      this.#giveUp(error);
    } finally {
      this.destroy();
    }
    if (this.#judge.reason !== undefined) return { as: "rewrite", reason: this.#judge.reason };
    const contentDigest = this.#judge.contentDigest();
    return contentDigest === undefined ? { as: "unordered" } : { as: "verbatim", contentDigest };
  }

  destroy(): void {
    this.#member?.destroy();
  }

  /** Returns what follows the gzip header, once that is complete. */
  #passHeader(head: Buffer): Buffer {
    const length = gzipHeaderLength(head);
    if (length === "odd" || (length === "more" && head.length > maxGzipHeaderBytes)) {
      this.#judge.oddity("the gzip header is unusual");
      return Buffer.alloc(0);
    }
    this.#head = length === "more" ? head : undefined;
    if (length === "more") return Buffer.alloc(0);
    this.#headerLength = length;
    this.#member = inflateMember((chunk) => this.#expand(chunk), this.#budget.expectedBytes);
    return head.subarray(length);
  }

  async #inflate(deflated: Buffer): Promise<void> {
    this.#deflateEnded = (await this.#member!.write(deflated)) < deflated.length;
    if (this.#judge.reason !== undefined) this.destroy();
  }

  #expand(chunk: Buffer): undefined {
    if (this.#judge.reason !== undefined) return;
    this.#expanded += chunk.length;
    this.#budget.checkExpanded(this.#expanded);
    this.#crc = crc32(chunk, this.#crc);
    this.#scanner.push(chunk);
    releaseOutput(chunk);
  }

  /** Exactly one member, complete and undamaged, and nothing after it. */
  async #checkEnd(): Promise<void> {
    const member = this.#member;
    if (member === undefined) return this.#judge.oddity("the gzip header is incomplete");
    if (!this.#deflateEnded) await member.end();
    this.#scanner.finish();
    this.#judge.end();
    if (this.#headerLength + member.consumed + gzipTrailerBytes !== this.#total) {
      this.#judge.oddity("the gzip stream has several members or something after its end");
    } else if (this.#tail.readUInt32LE(0) !== this.#crc || this.#tail.readUInt32LE(4) !== this.#expanded % 2 ** 32) {
      this.#judge.oddity("the gzip stream's checksum is wrong");
    }
  }

  #giveUp(error: unknown): void {
    this.#judge.oddity(error instanceof Error ? error.message : String(error));
    this.destroy();
  }
}

/** Holds every entry against the rules and hashes the canonical form of the archive as long as it comes in order. */
class EntryJudge implements ScanHandler {
  reason: string | undefined;
  readonly #ignore: Ignore;
  readonly #budget: Budget;
  readonly #seen = new SeenPaths();
  readonly #hash = createHash("sha256");
  readonly #tar: CanonicalTar;
  #inOrder = true;
  #needsTree = false;
  #lastPath = "";
  #lastParent = "";
  /** Size and what is missing of the file that `data` comes for. */
  #size = 0;
  #left = 0;
  /** Whether there is anything to publish. */
  #hasFiles = false;

  constructor(ignore: Ignore, budget: Budget) {
    this.#ignore = ignore;
    this.#budget = budget;
    this.#tar = new CanonicalTar(
      Buffer.allocUnsafeSlow(Math.max(minHashBlockBytes, Math.min(hashBlockBytes, budget.expectedBytes))),
      (block) => {
        this.#hash.update(block);
        return block;
      },
    );
  }

  oddity(reason: string): void {
    this.reason ??= reason;
  }

  entry(entry: ScannedEntry): void {
    if (this.reason !== undefined) return;
    if (entry.type !== "file" && entry.type !== "dir") return this.oddity("an entry is a link or a special file");
    if ((entry.mode & readable[entry.type]) !== readable[entry.type])
      return this.oddity("its owner could not read an entry");
    this.#budget.spendEntry(entry.name.length);
    const path = this.#plainPath(entry);
    if (path === undefined) return;
    if (path === "") {
      if (entry.type === "file") this.oddity("the root is a file");
      return;
    }
    this.#register(path, entry.type);
    if (this.reason !== undefined) return;
    if (entry.type === "file") this.#beginFile(path, entry);
  }

  data(chunk: Buffer, start: number, end: number): void {
    if (!this.#inOrder || this.reason !== undefined) return;
    this.#tar.data(chunk, start, end);
    this.#left -= end - start;
    if (this.#left === 0) this.#tar.endFile(this.#size);
  }

  end(): void {
    if (!this.#hasFiles) this.oddity("there are no files");
  }

  /** The digest of the canonical tar; undefined where only the whole tree can tell. */
  contentDigest(): Digest | undefined {
    if (this.#needsTree || !this.#inOrder) return undefined;
    this.#hash.update(this.#tar.finish());
    return `sha256:${this.#hash.digest("hex")}`;
  }

  /** The path, where it is written as every reader would clean it: at most a leading `./` and, on a directory, a trailing slash. */
  #plainPath(entry: ScannedEntry): string | undefined {
    const path = normalisePath(entry.name);
    const spelled = entry.name.startsWith("./") ? entry.name.slice(2) : entry.name;
    const bare = entry.type === "dir" && spelled.endsWith("/") ? spelled.slice(0, -1) : spelled;
    if (bare !== path && !(path === "" && bare === ".")) {
      this.oddity("a path is not written plainly");
      return undefined;
    }
    const refusal = unpublishable(path);
    if (refusal !== undefined) this.oddity(refusal);
    return path;
  }

  #register(path: string, type: "file" | "dir"): void {
    this.#implyParents(path);
    const known = this.#seen.get(path);
    if (known === "dir" || known === "file" || (known === "implied" && type === "file"))
      return this.oddity("two entries have one path");
    if (this.#ignore(path, type === "dir") !== undefined) return this.oddity("an entry is ignored");
    this.#seen.set(path, type);
    if (known === undefined) this.#emit(path, type);
  }

  #implyParents(path: string): void {
    const parent = parentOf(path);
    if (parent === "" || parent === this.#lastParent) return;
    const known = this.#seen.get(parent);
    if (known === "file") return this.oddity("a file is also a directory");
    if (known === undefined) {
      this.#implyParents(parent);
      this.#seen.set(parent, "implied");
      this.#emit(parent, "dir");
    }
    this.#lastParent = parent;
  }

  #emit(path: string, type: "file" | "dir"): void {
    if (!this.#inOrder || this.reason !== undefined) return;
    this.#inOrder = comparePaths(path, this.#lastPath) > 0;
    this.#lastPath = path;
    if (this.#inOrder && type === "dir") this.#tar.directory(path);
  }

  #beginFile(path: string, entry: ScannedEntry): void {
    this.#hasFiles = true;
    if (baseName(path) === ignoreFile && entry.size > 0) this.#needsTree = true;
    if (!this.#inOrder) return;
    this.#size = this.#left = entry.size;
    this.#tar.file(path, entry.size, (entry.mode & 0o111) !== 0);
  }
}
