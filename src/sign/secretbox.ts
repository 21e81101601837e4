import { xsalsa20poly1305 } from "@noble/ciphers/salsa.js";

const macBytes = 16;

/**
 * Opens NaCl's `crypto_secretbox` (XSalsa20 and Poly1305), which cosign encrypts private keys with and node:crypto does not
 * have.
 *
 * @param key 32 bytes
 * @param nonce 24 bytes
 * @returns undefined where the key is wrong, or the box is not what was sealed
 */
export function openSecretbox(box: Uint8Array, key: Uint8Array, nonce: Uint8Array): Buffer | undefined {
  if (box.length < macBytes || key.length !== 32 || nonce.length !== 24) return undefined;
  try {
    return Buffer.from(xsalsa20poly1305(key, nonce).decrypt(box));
  } catch {
    // It throws for a tag that does not fit.
    return undefined;
  }
}
