import { refused } from "../findings.ts";
import { type Json, objectOf } from "../../text/json.ts";
import { parseObject } from "../json.ts";
import { algorithmName, checkHeaders, type Envelope, header, parseChain, timestampHeader } from "./envelope.ts";

export const jwsType = "application/jose+json";

/**
 * Reads a JWS envelope in flattened JSON form (notation signature specification, signature-envelope-jws.md).
 *
 * @throws VerificationFailed
 */
export function parseJws(bytes: Buffer): Envelope {
  const { payload, protected: signedPart, signature, header: unprotected } = parseObject(bytes, "its envelope");
  if (typeof payload !== "string" || typeof signedPart !== "string" || typeof signature !== "string")
    throw refused("its envelope lacks payload, protected or signature");
  const headers = parseObject(decode(signedPart), "its protected header");
  const { x5c: certificates, [timestampHeader]: timestamp } = objectOf(unprotected);
  const contentType = headers["cty"];
  if (!Array.isArray(certificates) || !certificates.every((item) => typeof item === "string"))
    throw refused("it carries no certificate chain");
  if (typeof contentType !== "string") throw refused("it states no content type");
  return {
    algorithm: algorithmName(headers["alg"]),
    contentType,
    payload: decode(payload),
    signed: Buffer.from(`${signedPart}.${payload}`, "ascii"),
    signature: decode(signature),
    chain: parseChain(certificates.map((item) => Buffer.from(item, "base64"))),
    timestamp: timestamp === undefined ? undefined : timestampOf(timestamp),
    ...checkHeaders(signedHeaders(headers)),
  };
}

function timestampOf(value: unknown): Buffer {
  if (typeof value === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(value)) return Buffer.from(value, "base64");
  throw refused("its timestamp countersignature is not base64");
}

function signedHeaders(headers: Json): Parameters<typeof checkHeaders>[0] {
  const critical = headers["crit"];
  const plugin = Object.keys(headers).find((name) => name.startsWith("io.cncf.notary.verificationPlugin"));
  if (plugin !== undefined) throw refused("it asks for a verification plugin, which is not supported");
  return {
    scheme: headers[header.scheme],
    signingTime: timeOf(headers, header.signingTime),
    authenticSigningTime: timeOf(headers, header.authenticSigningTime),
    expiry: timeOf(headers, header.expiry),
    critical: Array.isArray(critical) ? critical : [],
  };
}

/** RFC 3339; anything else is refused rather than ignored. */
function timeOf(headers: Json, name: string): number | undefined {
  const text = headers[name];
  if (text === undefined) return undefined;
  const time =
    typeof text === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (Number.isNaN(time)) throw refused(`its header ${name} is not a time`);
  return time;
}

/** base64url without padding (RFC 7515, section 2); Buffer would skip other characters. */
function decode(text: string): Buffer {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) throw refused("its envelope is not base64url");
  return Buffer.from(text, "base64url");
}
