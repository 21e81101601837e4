import { createHash, X509Certificate } from "node:crypto";
import { resolveOptional } from "../../oci/absence.ts";
import { cosignTag } from "../../oci/referrer.ts";
import type { Annotations, Digest } from "../../oci/types.ts";
import { fetchAll } from "../../oci/fetch-all.ts";
import { readSignatureManifest } from "../content.ts";
import { type Findings, refused } from "../findings.ts";
import { objectOf } from "../../text/json.ts";
import { parseObject, show } from "../json.ts";
import type { VerifyLimits } from "../limits.ts";
import type { SignatureMaterial } from "./signature-material.ts";
import { assertAnnotations, type Wanted } from "./statement.ts";
import type { VerifyRequest } from "../verifier.ts";

/** cosign's SIGNATURE_SPEC: simple signing payloads as layers, the rest in their annotations. */
const simpleSigningType = "application/vnd.dev.cosign.simplesigning.v1+json";
const signatureKey = "dev.cosignproject.cosign/signature";
const certificateKey = "dev.sigstore.cosign/certificate";
const rekorKey = "dev.sigstore.cosign/bundle";
const timestampKey = "dev.sigstore.cosign/rfc3161timestamp";
const payloadKind = "cosign container image signature";

/** The tag of cosign's older signatures; undefined where the digest has none. */
export function legacyTag(digest: Digest): string | undefined {
  return cosignTag(digest, "sig");
}

/**
 * The simple signing signatures under the tag `sha256-<hex>.sig`. That each names this very digest is checked here; who
 * made it is for the caller to check.
 */
export async function* legacyMaterial(
  request: VerifyRequest,
  { annotations }: Wanted,
  limits: VerifyLimits,
  findings: Findings,
): AsyncGenerator<SignatureMaterial> {
  const { repository, root, signal } = request;
  const tag = legacyTag(root.digest);
  const descriptor = tag === undefined ? undefined : await resolveOptional(repository, tag, signal, "read");
  if (descriptor === undefined) return;
  const manifest = await findings.attempt(
    `tag ${tag}`,
    async () => await readSignatureManifest(repository, descriptor, limits.maxSignatureBytes, signal),
  );
  const layers = manifest?.layers ?? [];
  for (const [at, layer] of layers.slice(0, limits.maxSignatures).entries()) {
    const where = `tag ${tag}, layer ${at}`;
    const content = await findings.attempt(where, async () => {
      if (layer.mediaType !== simpleSigningType)
        throw refused(`it is of type ${show(layer.mediaType)}, not ${simpleSigningType}`);
      const payload = await fetchAll(repository, layer, limits.maxSignatureBytes, signal);
      assertPayload(payload, root.digest, annotations);
      return contentOf(payload, layer.annotations ?? {});
    });
    if (content !== undefined) yield { ...content, where, manifest: descriptor.digest };
  }
  if (layers.length > limits.maxSignatures)
    findings.add(`tag ${tag}`, `has ${layers.length} layers, of which only ${limits.maxSignatures} were looked at`);
}

function contentOf(payload: Buffer, annotations: Annotations): Omit<SignatureMaterial, "where" | "manifest"> {
  const signature = Buffer.from(annotations[signatureKey] ?? "", "base64");
  if (signature.length === 0) throw refused(`it has no annotation ${signatureKey}`);
  const certificate = annotations[certificateKey];
  return {
    signed: payload,
    payload,
    signature,
    certificateBundle: certificate ? bundleOf(payload, signature, certificate, annotations) : undefined,
    evidence:
      annotations[rekorKey] || annotations[timestampKey]
        ? bundleOf(payload, signature, certificate, annotations)
        : undefined,
  };
}

function assertPayload(
  payload: Buffer,
  digest: Digest,
  annotations: Readonly<Record<string, string>> | undefined,
): void {
  const body = parseObject(payload, "its payload");
  const critical = objectOf(body["critical"]);
  if (critical["type"] !== payloadKind)
    throw refused(`its payload is of type ${show(critical["type"])}, not "${payloadKind}"`);
  const named = objectOf(critical["image"])["docker-manifest-digest"];
  if (named !== digest) throw refused(`it is a signature of ${show(named)}, not of this artifact`);
  assertAnnotations([body["optional"]], annotations);
}

/** The same facts as a v0.1 bundle: certificate, log entry with its signed promise, and timestamps. */
function bundleOf(
  payload: Buffer,
  signature: Buffer,
  certificate: string | undefined,
  annotations: Annotations,
): unknown {
  const timestamp = annotations[timestampKey];
  const logged = annotations[rekorKey];
  return {
    mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.1",
    verificationMaterial: {
      ...(certificate
        ? { x509CertificateChain: { certificates: [{ rawBytes: certificateOf(certificate).raw.toString("base64") }] } }
        : { publicKey: { hint: "" } }),
      tlogEntries: logged ? [logEntryOf(logged)] : [],
      timestampVerificationData: { rfc3161Timestamps: timestamp ? [timestampOf(timestamp)] : [] },
    },
    messageSignature: {
      messageDigest: { algorithm: "SHA2_256", digest: createHash("sha256").update(payload).digest("base64") },
      signature: signature.toString("base64"),
    },
  };
}

function timestampOf(annotation: string): unknown {
  return {
    signedTimestamp: parseObject(Buffer.from(annotation), `its annotation ${timestampKey}`)["SignedRFC3161Timestamp"],
  };
}

function logEntryOf(annotation: string): unknown {
  const what = `its annotation ${rekorKey}`;
  const { Payload: payload, SignedEntryTimestamp: signedEntryTimestamp } = parseObject(Buffer.from(annotation), what);
  const { body, integratedTime, logIndex, logID } = objectOf(payload);
  const canonicalizedBody = String(body);
  const { kind, apiVersion } = parseObject(Buffer.from(canonicalizedBody, "base64"), `the body of ${what}`);
  return {
    logIndex: String(logIndex),
    logId: { keyId: Buffer.from(String(logID), "hex").toString("base64") },
    kindVersion: { kind, version: apiVersion },
    integratedTime: String(integratedTime),
    inclusionPromise: { signedEntryTimestamp },
    canonicalizedBody,
  };
}

function certificateOf(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw refused(`its annotation ${certificateKey} is not a certificate`, cause);
  }
}
