import { createHash } from "node:crypto";
import type { Digest } from "../oci/types.ts";
import { CanonicalTar } from "./canonical.ts";
import { comparePaths, parentOf } from "./path.ts";
import type { ScannedType } from "./scanner.ts";
import type { Entry, Tree } from "./tree.ts";

const blockBytes = 256 * 1024;

/**
 * The digest of a canonical tar, begun while an archive is still arriving: as long as its entries come in byte order, they are
 * hashed as they pass by. Whether the tree begins with exactly these entries is only known at the end.
 */
export class DigestAhead {
  readonly tar: CanonicalTar;
  readonly #hash = createHash("sha256");
  readonly #taken: { readonly path: string; readonly entry: Entry }[] = [];
  readonly #directories = new Set<string>([""]);
  #isOpen = true;
  #size = 0;
  #left = 0;

  constructor() {
    this.tar = new CanonicalTar(Buffer.allocUnsafeSlow(blockBytes), (block) => {
      this.#hash.update(block);
      return block;
    });
  }

  /** How many entries have been hashed. */
  get count(): number {
    return this.#taken.length;
  }

  /** The next entry of the archive, as it stands in the tree. A hard link ends the work ahead: its content is elsewhere. */
  take(type: ScannedType, path: string, entry: Entry): void {
    this.#isOpen &&= type === entry.kind;
    if (!this.#isOpen || this.#directories.has(path)) return;
    if (entry.kind === "dir") return this.#directory(path, entry);
    this.#directory(parentOf(path), { kind: "dir" });
    if (entry.kind !== "file" || !this.#follows(path, entry)) return;
    this.#size = this.#left = entry.body.size;
    this.tar.file(path, this.#size, entry.executable);
  }

  /** The next piece of the body of the last file: `chunk[start..end)`. */
  data(chunk: Buffer, start: number, end: number): void {
    if (!this.#isOpen) return;
    this.tar.data(chunk, start, end);
    this.#left -= end - start;
    if (this.#left === 0) this.tar.endFile(this.#size);
  }

  /** @param paths those of the tree, in byte order */
  isBeginningOf(tree: Tree, paths: readonly string[]): boolean {
    return this.#taken.every(({ path, entry }, index) => {
      const found = path === paths[index] ? tree.entries.get(path) : undefined;
      return found === entry || (found?.kind === "dir" && entry.kind === "dir");
    });
  }

  /** Ends the tar; nothing may be added any more. */
  finish(): Digest {
    this.#hash.update(this.tar.finish());
    return `sha256:${this.#hash.digest("hex")}`;
  }

  #directory(path: string, entry: Entry): void {
    if (this.#directories.has(path)) return;
    this.#directory(parentOf(path), entry);
    this.#directories.add(path);
    if (this.#follows(path, entry)) this.tar.directory(path);
  }

  #follows(path: string, entry: Entry): boolean {
    const last = this.#taken.at(-1)?.path ?? "";
    this.#isOpen &&= comparePaths(path, last) > 0;
    if (this.#isOpen) this.#taken.push({ path, entry });
    return this.#isOpen;
  }
}
