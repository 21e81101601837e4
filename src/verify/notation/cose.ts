import { decode, encode, Tagged } from "cborg";
import { refused } from "../findings.ts";
import { algorithmName, checkHeaders, type Envelope, header, parseChain, timestampHeader } from "./envelope.ts";

export const coseType = "application/cose";

/** RFC 9052: the tag of COSE_Sign1, header labels and (RFC 9053, 8230) algorithms. */
const sign1Tag = 18;
const timeTag = 1;
const label = { algorithm: 1, critical: 2, contentType: 3, chain: 33 } as const;
const algorithms = new Map([
  [-37, "PS256"],
  [-38, "PS384"],
  [-39, "PS512"],
  [-7, "ES256"],
  [-35, "ES384"],
  [-36, "ES512"],
]);

type Headers = ReadonlyMap<unknown, unknown>;

/**
 * Reads a COSE_Sign1 envelope (notation signature specification, signature-envelope-cose.md).
 *
 * @throws VerificationFailed
 */
export function parseCose(bytes: Buffer): Envelope {
  const { signedPart, unprotected, payload, signature } = parseSign1(bytes);
  const headers = decodeCbor(signedPart);
  if (!(headers instanceof Map)) throw refused("its protected header is not a map");
  const contentType: unknown = headers.get(label.contentType);
  const certificates: unknown = unprotected.get(label.chain);
  const timestamp = unprotected.get(timestampHeader);
  if (typeof contentType !== "string") throw refused("it states no content type");
  if (!Array.isArray(certificates) || !certificates.every(isBytes)) throw refused("it carries no certificate chain");
  return {
    algorithm: algorithmName(algorithms.get(headers.get(label.algorithm) as number)),
    contentType,
    payload: Buffer.from(payload),
    // RFC 9052, section 4.4: Sig_structure.
    signed: Buffer.from(encode(["Signature1", signedPart, new Uint8Array(), payload])),
    signature: Buffer.from(signature),
    chain: parseChain(certificates),
    timestamp: isBytes(timestamp) ? Buffer.from(timestamp) : undefined,
    ...checkHeaders(signedHeaders(headers)),
  };
}

/** The four parts of a tagged COSE_Sign1. */
function parseSign1(bytes: Buffer): {
  signedPart: Uint8Array;
  unprotected: Headers;
  payload: Uint8Array;
  signature: Uint8Array;
} {
  const message = decodeCbor(bytes);
  const parts: unknown = message instanceof Tagged && message.tag === sign1Tag ? message.value : undefined;
  const [signedPart, unprotected, payload, signature] =
    Array.isArray(parts) && parts.length === 4 ? (parts as unknown[]) : [];
  if (isBytes(signedPart) && unprotected instanceof Map && isBytes(payload) && isBytes(signature))
    return { signedPart, unprotected, payload, signature };
  throw refused("its envelope is not a COSE_Sign1");
}

function signedHeaders(headers: Headers): Parameters<typeof checkHeaders>[0] {
  const critical = headers.get(label.critical);
  const plugin = [...headers.keys()].some(
    (name) => typeof name === "string" && name.startsWith("io.cncf.notary.verificationPlugin"),
  );
  if (plugin) throw refused("it asks for a verification plugin, which is not supported");
  return {
    scheme: headers.get(header.scheme),
    signingTime: timeOf(headers, header.signingTime),
    authenticSigningTime: timeOf(headers, header.authenticSigningTime),
    expiry: timeOf(headers, header.expiry),
    critical: Array.isArray(critical) ? critical : [],
  };
}

/** Seconds since the epoch under CBOR's tag 1; anything else is refused rather than ignored. */
function timeOf(headers: Headers, name: string): number | undefined {
  if (!headers.has(name)) return undefined;
  const value = headers.get(name);
  const seconds: unknown = value instanceof Tagged && value.tag === timeTag ? value.value : undefined;
  if (typeof seconds !== "number" || !Number.isFinite(seconds)) throw refused(`its header ${name} is not a time`);
  return seconds * 1000;
}

function decodeCbor(bytes: Uint8Array): unknown {
  try {
    return decode(bytes, { useMaps: true, rejectDuplicateMapKeys: true, tags: Tagged.preserve(sign1Tag, timeTag) });
  } catch (cause) {
    throw refused("its envelope is not CBOR", cause);
  }
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array;
}
