import { algorithmOf, hexOf } from "../../oci/digest.ts";
import type { Digest } from "../../oci/types.ts";
import { refused } from "../findings.ts";
import { isObject, type Json, objectOf } from "../../text/json.ts";
import { parseObject, show } from "../json.ts";

export const inTotoPayloadType = "application/vnd.in-toto+json";
/** What `cosign sign` states; other predicates (an SBOM, a scan) say something about the artifact, not that it is approved. */
export const signPredicateType = "https://sigstore.dev/cosign/sign/v1";
const statementTypes = new Set<unknown>(["https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1"]);
const maxSubjects = 1024;

/** DSSE protocol, "Signature Definition": what is signed instead of the bare payload. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `, "utf8"),
    payload,
  ]);
}

/** What a signed statement has to say. */
export interface Wanted {
  /** Absent: a signature, as `cosign sign` states it. */
  readonly predicateType?: string;
  /** That its subject must carry. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** Checks that a signed in-toto statement is about `digest`, and of the wanted type. @throws VerificationFailed */
export function assertStatement(
  payload: Uint8Array,
  digest: Digest,
  { predicateType = signPredicateType, annotations = {} }: Wanted = {},
): void {
  const statement = parseObject(payload, "its payload");
  if (!statementTypes.has(statement["_type"]))
    throw refused(`its statement is of type ${show(statement["_type"])}, not in-toto's`);
  assertPredicateType(statement["predicateType"], predicateType);
  const subjects = statement["subject"];
  if (!Array.isArray(subjects) || subjects.length === 0) throw refused("its statement names no subject");
  if (subjects.length > maxSubjects)
    throw refused(`its statement names ${subjects.length} subjects, more than ${maxSubjects}`);
  const own = subjects.filter((subject) => isObject(subject) && digestOf(subject, digest) === hexOf(digest)) as Json[];
  if (own.length === 0) throw refused(`it is a signature of ${describe(subjects)}, not of this artifact`);
  assertAnnotations(
    own.map((subject) => subject["annotations"]),
    annotations,
  );
}

function assertPredicateType(found: unknown, wanted: string): void {
  if (found === wanted) return;
  const isNot = wanted === signPredicateType ? "which is not a signature, as" : "not";
  throw refused(`it attests ${show(found)}, ${isNot} ${wanted}`);
}

/** @throws VerificationFailed unless one of `found` has every wanted annotation */
export function assertAnnotations(found: readonly unknown[], wanted: Readonly<Record<string, string>> = {}): void {
  const has = (annotations: unknown, key: string, value: string): boolean =>
    isObject(annotations) && Object.hasOwn(annotations, key) && annotations[key] === value;
  const missing = (annotations: unknown): string[] =>
    Object.entries(wanted).flatMap(([key, value]) => (has(annotations, key, value) ? [] : [`${key}=${value}`]));
  if (found.some((annotations) => missing(annotations).length === 0)) return;
  throw refused(`it was not signed with the annotation ${missing(found[0]).join(", ")}`);
}

function digestOf(subject: Json, digest: Digest): unknown {
  return objectOf(subject["digest"])[algorithmOf(digest)];
}

function describe(subjects: readonly unknown[]): string {
  const named = subjects.slice(0, 3).map((subject) => show(objectOf(subject)["digest"]));
  return named.join(", ") + (subjects.length > 3 ? ", …" : "");
}
