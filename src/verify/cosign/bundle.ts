import type { Bundle } from "@sigstore/bundle";
import { matchesDigest } from "../../oci/digest.ts";
import type { Descriptor, Digest } from "../../oci/types.ts";
import { fetchAll } from "../../oci/fetch-all.ts";
import { readSignatureManifest } from "../content.ts";
import { artifactName, type Findings, refused } from "../findings.ts";
import { parseObject } from "../json.ts";
import { candidatesOf } from "../referrers.ts";
import type { VerifyLimits } from "../limits.ts";
import type { SignatureMaterial } from "./signature-material.ts";
import { assertStatement, inTotoPayloadType, preAuthEncoding, type Wanted } from "./statement.ts";
import type { VerifyRequest } from "../verifier.ts";

/** cosign's BUNDLE_SPEC: the artifact type of the referrer and the media type of its layer. */
export const bundleArtifactType = "application/vnd.dev.sigstore.bundle.v0.3+json";
const bundleTypePrefix = "application/vnd.dev.sigstore.bundle";

/** Where bundles were looked for, for the message when there are none. */
export const bundleLookup = `no referrer of type ${bundleArtifactType}`;

/**
 * The Sigstore bundles that refer to the root. What each one states is checked here (it is an in-toto signature of this very
 * digest, or a signature over this very manifest); who made it is for the caller to check.
 *
 * @param wanted what a statement has to say
 */
export async function* bundleMaterial(
  request: Pick<VerifyRequest, "repository" | "root" | "signal">,
  wanted: Wanted,
  limits: VerifyLimits,
  findings: Findings,
): AsyncGenerator<SignatureMaterial> {
  // Others may have written the list; what is wrong with it hides no signature under the tag.
  const found = await findings.attempt(
    "list of referrers",
    async () => await candidatesOf(request, bundleArtifactType, limits),
  );
  const { listed, more } = found ?? { listed: [], more: 0 };
  for await (const referrer of listed) {
    const where = `bundle ${referrer.digest}`;
    const material = await findings.attempt(where, async () => await readBundle(request, referrer, wanted, limits));
    if (material !== undefined) yield { ...material, where, manifest: referrer.digest };
  }
  if (more > 0)
    findings.add(
      artifactName(request.repository, request.root),
      `has ${limits.maxSignatures + more} bundles, of which only ${limits.maxSignatures} were looked at`,
    );
}

type Content = Pick<SignatureMaterial, "signed" | "payload" | "signature" | "certificateBundle" | "evidence">;

async function readBundle(
  request: Pick<VerifyRequest, "repository" | "root" | "signal">,
  referrer: Descriptor,
  wanted: Wanted,
  limits: VerifyLimits,
): Promise<Content> {
  const { repository, root, signal } = request;
  const manifest = await readSignatureManifest(repository, referrer, limits.maxSignatureBytes, signal);
  const layer = manifest.layers.find(({ mediaType }) => mediaType.startsWith(bundleTypePrefix));
  if (layer === undefined) throw refused(`it has no layer of type ${bundleArtifactType}`);
  const json = parseObject(await fetchAll(repository, layer, limits.maxSignatureBytes, signal), "its bundle");
  const bundle = await parseBundle(json);
  const certificateBundle = bundle.verificationMaterial.content.$case === "publicKey" ? undefined : json;
  if (bundle.content.$case === "dsseEnvelope")
    return { ...envelopeContent(bundle.content.dsseEnvelope, root.digest, wanted), certificateBundle, evidence: json };
  if (wanted.predicateType !== undefined)
    throw refused(`it is a signature, which does not attest ${wanted.predicateType}`);
  if (Object.keys(wanted.annotations ?? {}).length > 0)
    throw refused("it is over the manifest alone, so no annotation is signed along");
  const bytes = await fetchAll(repository, root, root.size, signal);
  return { ...messageContent(bundle.content.messageSignature, bytes, root.digest), certificateBundle, evidence: json };
}

function envelopeContent(
  envelope: Extract<Bundle["content"], { $case: "dsseEnvelope" }>["dsseEnvelope"],
  digest: Digest,
  wanted: Wanted,
): Omit<Content, "certificateBundle" | "evidence"> {
  const [signature, ...more] = envelope.signatures;
  if (signature === undefined || more.length > 0)
    throw refused(`its envelope has ${envelope.signatures.length} signatures instead of one`);
  if (envelope.payloadType !== inTotoPayloadType)
    throw refused(
      `its envelope is of type ${JSON.stringify(envelope.payloadType.slice(0, 100))}, not ${inTotoPayloadType}`,
    );
  assertStatement(envelope.payload, digest, wanted);
  return {
    signed: preAuthEncoding(envelope.payloadType, envelope.payload),
    payload: envelope.payload,
    signature: signature.sig,
  };
}

function messageContent(
  message: Extract<Bundle["content"], { $case: "messageSignature" }>["messageSignature"],
  bytes: Buffer,
  digest: Digest,
): Omit<Content, "certificateBundle" | "evidence"> {
  // The repository has checked the bytes against the root's digest; the bundle has to name the same.
  const stated = message.messageDigest.digest.toString("hex");
  if (!matchesDigest(bytes, digest) || `sha256:${stated}` !== digest)
    throw refused(`it is a signature of sha256:${stated.slice(0, 128)}, not of this artifact`);
  return { signed: bytes, payload: bytes, signature: message.signature };
}

async function parseBundle(json: unknown): Promise<Bundle> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { bundleFromJSON } = (await import("@sigstore/bundle")).default;
  try {
    return bundleFromJSON(json);
  } catch (cause) {
    throw refused("it is not a valid Sigstore bundle", cause);
  }
}
