import { createHash, type KeyObject } from "node:crypto";

/**
 * Verifies Ed25519ph signatures (RFC 8032, section 5.1): what cosign makes with Ed25519 keys, and what node:crypto cannot
 * verify. Everything here is public, so nothing needs constant time.
 *
 * @param key an Ed25519 public key
 * @param message the whole message; its SHA-512 is what is signed
 */
export function verifyEd25519ph(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false;
  const publicKey = rawKey(key);
  const [encodedR, encodedS] = [signature.subarray(0, 32), signature.subarray(32)];
  const s = littleEndian(encodedS);
  // RFC 8032 asks for the range check: without it a signature would have several forms.
  if (s >= order) return false;
  const [point, r] = [decode(publicKey), decode(encodedR)];
  if (point === undefined || r === undefined || isSmall(point)) return false;
  const prehash = createHash("sha512").update(message).digest();
  const k =
    littleEndian(createHash("sha512").update(domain).update(encodedR).update(publicKey).update(prehash).digest()) %
    order;
  return equal(multiply(base, s), add(r, multiply(point, k)));
}

/** dom2(1, ""): the flag of Ed25519ph and an empty context. */
const domain = Buffer.concat([Buffer.from("SigEd25519 no Ed25519 collisions", "latin1"), Buffer.from([1, 0])]);

const prime = 2n ** 255n - 19n;
const order = 2n ** 252n + 27742317777372353535851937790883648493n;

/** Extended homogeneous coordinates: x = X/Z, y = Y/Z, xy = T/Z. */
interface Point {
  readonly X: bigint;
  readonly Y: bigint;
  readonly Z: bigint;
  readonly T: bigint;
}

const modulo = (value: bigint): bigint => ((value % prime) + prime) % prime;

function power(value: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = modulo(value);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % prime;
    square = (square * square) % prime;
  }
  return result;
}

const invert = (value: bigint): bigint => power(value, prime - 2n);
const d = modulo(-121665n * invert(121666n));
const rootOfMinusOne = power(2n, (prime - 1n) / 4n);

const neutral: Point = { X: 0n, Y: 1n, Z: 1n, T: 0n };

function fromAffine(x: bigint, y: bigint): Point {
  return { X: x, Y: y, Z: 1n, T: modulo(x * y) };
}

function add(p: Point, q: Point): Point {
  const a = modulo((p.Y - p.X) * (q.Y - q.X));
  const b = modulo((p.Y + p.X) * (q.Y + q.X));
  const c = modulo(2n * d * p.T * q.T);
  const dd = modulo(2n * p.Z * q.Z);
  const [e, f, g, h] = [b - a, dd - c, dd + c, b + a];
  return { X: modulo(e * f), Y: modulo(g * h), Z: modulo(f * g), T: modulo(e * h) };
}

function multiply(point: Point, scalar: bigint): Point {
  let result = neutral;
  let doubled = point;
  for (let rest = scalar; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = add(result, doubled);
    doubled = add(doubled, doubled);
  }
  return result;
}

function equal(p: Point, q: Point): boolean {
  return modulo(p.X * q.Z - q.X * p.Z) === 0n && modulo(p.Y * q.Z - q.Y * p.Z) === 0n;
}

/** A key of small order makes signatures that fit any message. */
const isSmall = (point: Point): boolean => equal(multiply(point, 8n), neutral);

/** RFC 8032, section 5.1.3; undefined for what is not a point of the curve. */
function decode(bytes: Uint8Array): Point | undefined {
  const encoded = littleEndian(bytes);
  const sign = encoded >> 255n;
  const y = encoded & (2n ** 255n - 1n);
  if (y >= prime) return undefined;
  const u = modulo(y * y - 1n);
  const v = modulo(d * y * y + 1n);
  let x = modulo(u * v ** 3n * power(u * v ** 7n, (prime - 5n) / 8n));
  if (modulo(v * x * x - u) !== 0n) x = modulo(x * rootOfMinusOne);
  if (modulo(v * x * x - u) !== 0n || (x === 0n && sign === 1n)) return undefined;
  return fromAffine((x & 1n) === sign ? x : prime - x, y);
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes.toReversed()).toString("hex")}`);
}

function rawKey(key: KeyObject): Buffer {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}

const base = fromAffine(
  15112221349535400772501151409588531511454012693041857206046113283949847762202n,
  (4n * invert(5n)) % prime,
);
