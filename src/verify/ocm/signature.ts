import { constants } from "node:crypto";
import type { Signature } from "../../component/descriptor.ts";
import { printable } from "../../text/printable.ts";
import { pss, type SignatureForm } from "../check-signature.ts";
import { refused } from "../findings.ts";

type SignatureInfo = Signature["signature"];

/** ocm-spec, "Signature Algorithms". */
const algorithms: Readonly<Record<string, SignatureForm>> = {
  "RSASSA-PSS": pss(constants.RSA_PSS_SALTLEN_AUTO),
  "RSASSA-PKCS1-V1_5": { padding: constants.RSA_PKCS1_PADDING },
};
/** Media types of signatures in hexadecimal digits; they tell the algorithm where nothing else does. */
const plainTypes: Readonly<Record<string, string>> = {
  "application/vnd.ocm.signature.rsa": "RSASSA-PKCS1-V1_5",
  "application/vnd.ocm.signature.rsa.pss": "RSASSA-PSS",
};
const pemTypes: ReadonlySet<string> = new Set(["application/x-pem-file", "application/vnd.ocm.signature.rsa.pem"]);

/** How the signature is made. @throws VerificationFailed for algorithms that are not known, by their names */
export function formOf({ algorithm, mediaType }: SignatureInfo): SignatureForm {
  const name = algorithm === "" ? own(plainTypes, mediaType) : algorithm;
  const form = name === undefined ? undefined : own(algorithms, name);
  if (form !== undefined) return form;
  throw refused(
    `it is made with ${printable(algorithm) || "no algorithm"}, and only ${Object.keys(algorithms).join(" and ")} are understood`,
  );
}

/** The signature itself: hexadecimal digits, or a block SIGNATURE in PEM. @throws VerificationFailed for other media types, by their names */
export function signatureBytes({ algorithm, mediaType, value }: SignatureInfo): Buffer {
  if (pemTypes.has(mediaType)) return fromPem(value, algorithm);
  if (own(plainTypes, mediaType) === undefined)
    throw refused(`its value is of the media type ${printable(mediaType) || '""'}, which is not understood`);
  if (!/^(?:[0-9a-f]{2})+$/i.test(value)) throw refused("its value is not written in hexadecimal digits");
  return Buffer.from(value, "hex");
}

const begin = "-----BEGIN SIGNATURE-----";
const end = "-----END SIGNATURE-----";

/** Certificates after the block add nothing: the keys of the Secret decide. */
function fromPem(value: string, algorithm: string): Buffer {
  const from = value.indexOf(begin);
  const to = value.indexOf(end);
  if (from < 0 || to < from) throw refused("its value has no block SIGNATURE in PEM");
  const lines = value
    .slice(from + begin.length, to)
    .split("\n")
    .map((line) => line.trim());
  const stated = lines
    .find((line) => line.startsWith("Signature Algorithm:"))
    ?.slice("Signature Algorithm:".length)
    .trim();
  if (stated !== undefined && algorithm !== "" && stated !== algorithm)
    throw refused(`it is made with ${printable(algorithm)}, but its PEM says ${printable(stated)}`);
  const base64 = lines.filter((line) => !line.includes(":")).join("");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw refused("the block SIGNATURE is not base64");
  return Buffer.from(base64, "base64");
}

function own<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
