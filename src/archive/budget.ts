import { CodedError } from "../errors.ts";
import type { Limits } from "../oci/limits.ts";

/** What one layer may expand to, and what all layers of an operation may expand to together. */
export class Budget {
  readonly limits: Limits;
  readonly #compressedBytes: number;
  readonly #shared: { expandedBytes: number };

  /** @param shared counts the layers of one operation together */
  constructor(limits: Limits, compressedBytes: number, shared: { expandedBytes: number }) {
    this.limits = limits;
    this.#compressedBytes = compressedBytes;
    this.#shared = shared;
  }

  /**
   * Judges the bytes that this layer has expanded to so far.
   * @throws ArchiveTooLarge, ArchiveRatioExceeded
   */
  checkExpanded(bytes: number): void {
    const { maxExpandedBytes, maxRatio, ratioFloorBytes } = this.limits;
    if (bytes > maxExpandedBytes) throw tooLarge(maxExpandedBytes);
    if (bytes > ratioFloorBytes && bytes > maxRatio * this.#compressedBytes) {
      throw new CodedError("ArchiveRatioExceeded", `the layer expands to more than ${maxRatio} times its ${this.#compressedBytes} bytes`);
    }
  }

  /** Counts bytes that go to scratch space. @throws ArchiveTooLarge */
  spend(bytes: number): void {
    this.#shared.expandedBytes += bytes;
    if (this.#shared.expandedBytes > this.limits.maxExpandedBytes) throw tooLarge(this.limits.maxExpandedBytes);
  }
}

function tooLarge(maxBytes: number): CodedError {
  return new CodedError("ArchiveTooLarge", `the content expands to more than ${maxBytes} bytes`);
}
