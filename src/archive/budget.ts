import { CodedError } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";

/** Names and link targets are held in memory; real ones are some tens of bytes. */
const maxNamesLength = 32 * 1024 * 1024;

/** What the layers of one operation have used together: hand the same object, all zero, to the budget of each. */
export interface Spent {
  expandedBytes: number;
  entries?: number;
  /** UTF-16 code units. */
  namesLength?: number;
}

/** What one layer may expand to, and what all layers of an operation may expand to together. */
export class Budget {
  readonly limits: Limits;
  readonly #compressedBytes: number;
  readonly #shared: Spent;

  constructor(limits: Limits, compressedBytes: number, shared: Spent) {
    this.limits = limits;
    this.#compressedBytes = compressedBytes;
    this.#shared = shared;
  }

  /** A guess at what the layer expands to, for the size of buffers: a thousand small layers should not take large ones each. */
  get expectedBytes(): number {
    return this.#compressedBytes * 4;
  }

  /**
   * Judges the bytes that this layer has expanded to so far.
   * @throws ArchiveTooLarge, ArchiveRatioExceeded
   */
  checkExpanded(bytes: number): void {
    const { maxExpandedBytes, maxRatio, ratioFloorBytes } = this.limits;
    if (bytes > maxExpandedBytes) throw tooLarge(maxExpandedBytes);
    if (bytes > ratioFloorBytes && bytes > maxRatio * this.#compressedBytes) {
      throw new CodedError(
        "ArchiveRatioExceeded",
        `the layer expands to more than ${maxRatio} times its ${this.#compressedBytes} bytes`,
      );
    }
  }

  /** Counts bytes that go to scratch space. @throws ArchiveTooLarge */
  spend(bytes: number): void {
    this.#shared.expandedBytes += bytes;
    if (this.#shared.expandedBytes > this.limits.maxExpandedBytes) throw tooLarge(this.limits.maxExpandedBytes);
  }

  /** Counts an entry and the length of its names, which stay in memory. @throws ArchiveTooManyEntries */
  spendEntry(namesLength: number): void {
    const { maxEntries } = this.limits;
    this.#shared.entries = (this.#shared.entries ?? 0) + 1;
    this.#shared.namesLength = (this.#shared.namesLength ?? 0) + namesLength;
    if (this.#shared.entries > maxEntries)
      throw new CodedError("ArchiveTooManyEntries", `there are more than ${maxEntries} entries`);
    if (this.#shared.namesLength > maxNamesLength) {
      throw new CodedError(
        "ArchiveTooManyEntries",
        `the names of all entries are longer than ${maxNamesLength} characters together`,
      );
    }
  }
}

function tooLarge(maxBytes: number): CodedError {
  return new CodedError("ArchiveTooLarge", `the content expands to more than ${maxBytes} bytes`);
}
