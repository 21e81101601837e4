/**
 * How large zlib's output buffers are: larger ones mean fewer trips to the thread pool; beyond this they only cost memory. Far above the
 * size from which Node lets buffers share one ArrayBuffer.
 */
export const outputBytes = 256 * 1024;

/**
 * Gives zlib's output buffer back to the system where `piece` is the end of it: its pieces came in order, so all have been used, and Node has taken
 * another. Left to V8, a buffer that was in use during two collections lies there until V8 goes through the whole heap.
 *
 * @param piece of a decompressor's or compressor's output; it is empty afterwards, and so are the others of its buffer
 */
export function releaseOutput(piece: Buffer): void {
  const { buffer, byteOffset, length } = piece;
  const isEnd = buffer.byteLength === outputBytes && byteOffset + length === outputBytes;
  if (isEnd && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
