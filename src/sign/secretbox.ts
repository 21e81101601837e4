import { timingSafeEqual } from "node:crypto";

/** "expand 32-byte k" */
const sigma = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574] as const;
const macBytes = 16;
const macKeyBytes = 32;

/**
 * Opens NaCl's `crypto_secretbox` (XSalsa20 and Poly1305), which cosign encrypts private keys with and node:crypto does not
 * have. For some kilobytes: it is not made for speed.
 *
 * @param key 32 bytes
 * @param nonce 24 bytes
 * @returns undefined where the key is wrong, or the box is not what was sealed
 */
export function openSecretbox(box: Uint8Array, key: Uint8Array, nonce: Uint8Array): Buffer | undefined {
  if (box.length < macBytes || key.length !== 32 || nonce.length !== 24) return undefined;
  const sealed = box.subarray(macBytes);
  const stream = keyStream(
    hsalsa20(words(key), words(nonce.subarray(0, 16))),
    words(nonce.subarray(16)),
    macKeyBytes + sealed.length,
  );
  if (!timingSafeEqual(poly1305(sealed, stream.subarray(0, macKeyBytes)), box.subarray(0, macBytes))) return undefined;
  return Buffer.from(sealed.map((byte, at) => byte ^ stream[macKeyBytes + at]!));
}

/** The subkey that makes a nonce of 24 bytes possible. */
function hsalsa20(key: readonly number[], input: readonly number[]): number[] {
  const mixed = rounds(stateOf(key, input));
  return [0, 5, 10, 15, 6, 7, 8, 9].map((at) => mixed[at]!);
}

function keyStream(key: readonly number[], nonce: readonly number[], length: number): Buffer {
  const blocks = Math.ceil(length / 64);
  const out = Buffer.alloc(blocks * 64);
  for (let counter = 0; counter < blocks; counter++) {
    const start = stateOf(key, [...nonce, counter, 0]);
    rounds(start).forEach((word, at) => out.writeUInt32LE((word + start[at]!) >>> 0, counter * 64 + at * 4));
  }
  return out;
}

function stateOf(key: readonly number[], input: readonly number[]): number[] {
  return [sigma[0], ...key.slice(0, 4), sigma[1], ...input, sigma[2], ...key.slice(4), sigma[3]];
}

/** Salsa20's 20 rounds: ten times the columns and then the rows. */
function rounds(start: readonly number[]): number[] {
  const x = [...start];
  for (let round = 0; round < 10; round++) {
    for (const [a, b, c, d] of [
      [0, 4, 8, 12],
      [5, 9, 13, 1],
      [10, 14, 2, 6],
      [15, 3, 7, 11],
    ] as const)
      quarter(x, a, b, c, d);
    for (const [a, b, c, d] of [
      [0, 1, 2, 3],
      [5, 6, 7, 4],
      [10, 11, 8, 9],
      [15, 12, 13, 14],
    ] as const)
      quarter(x, a, b, c, d);
  }
  return x;
}

// oxlint-disable-next-line max-params -- the four words of the specification's quarter round
function quarter(x: number[], a: number, b: number, c: number, d: number): void {
  x[b]! ^= rotate(x[a]! + x[d]!, 7);
  x[c]! ^= rotate(x[b]! + x[a]!, 9);
  x[d]! ^= rotate(x[c]! + x[b]!, 13);
  x[a]! ^= rotate(x[d]! + x[c]!, 18);
}

function rotate(sum: number, by: number): number {
  return (sum << by) | (sum >>> (32 - by));
}

function poly1305(message: Uint8Array, key: Uint8Array): Buffer {
  const prime = 2n ** 130n - 5n;
  const r = littleEndian(key.subarray(0, 16)) & 0x0ffffffc0ffffffc0ffffffc0fffffffn;
  let sum = 0n;
  for (let at = 0; at < message.length; at += 16) {
    const block = message.subarray(at, at + 16);
    sum = ((sum + littleEndian(block) + (1n << BigInt(8 * block.length))) * r) % prime;
  }
  const tag = (sum + littleEndian(key.subarray(16, 32))) % 2n ** 128n;
  return Buffer.from(Buffer.from(tag.toString(16).padStart(32, "0"), "hex").toReversed());
}

function littleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function words(bytes: Uint8Array): number[] {
  const view = Buffer.from(bytes);
  return Array.from({ length: bytes.length / 4 }, (_, at) => view.readUInt32LE(at * 4));
}
