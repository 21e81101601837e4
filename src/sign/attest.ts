import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { bytesFrom } from "../copy/transfer.ts";
import type { WritableRepository } from "../oci/content.ts";
import { algorithmOf, hexOf, sha256Of } from "../oci/digest.ts";
import { ociEmptyType, ociManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Digest } from "../oci/types.ts";
import { objectOf, parseJsonObject } from "../text/json.ts";
import { bundleArtifactType } from "../verify/cosign/bundle.ts";
import { inTotoPayloadType, preAuthEncoding, signPredicateType } from "../verify/cosign/statement.ts";
import { ownStatements } from "./own-statements.ts";
import type { SigningKey } from "./signing-key.ts";

/** What is signed, where its signatures are kept, and by which key. */
export interface Signable {
  readonly repository: WritableRepository;
  readonly subject: Descriptor;
  readonly key: SigningKey;
  /** Annotations of the manifests that hold the signatures: whose they are. */
  readonly marks: Annotations;
}

/** What is said of the subject besides that it is approved. */
export interface Claim {
  readonly predicateType: string;
  readonly predicate: object;
  /** The part of a predicate that counts: a claim that is the same in it is not made again. */
  readonly essence: (predicate: object) => unknown;
  /** Where this key has attested so much otherwise, and nobody has deleted it, nothing is added. */
  readonly most: number;
}

/** A statement that is there, and whether it was written just now. */
export interface Attached {
  readonly digest: Digest;
  readonly written: boolean;
}

/**
 * Signs a manifest as `cosign sign --key` does: a Sigstore bundle (v0.3) that refers to it. Nothing is written where this key
 * has signed it already, and nothing goes to a transparency log.
 *
 * @throws SigningFailed, what the repository throws
 */
export async function sign(signable: Signable, signal: AbortSignal): Promise<Attached> {
  const [known] = await ownStatements(signable, signPredicateType, signal);
  if (known !== undefined) return { digest: known.manifest, written: false };
  const subject = { digest: digestSet(signable.subject.digest), annotations: {} };
  return await attach(signable, { predicateType: signPredicateType, subject, predicate: {} }, signal);
}

/**
 * Attests something of a manifest as `cosign attest --key` does, unless this key has attested the same. `others` are what it
 * has attested otherwise; `attached` is undefined where that is too much.
 *
 * @throws SigningFailed, what the repository throws
 */
export async function attest(
  signable: Signable,
  { predicateType, predicate, essence, most }: Claim,
  signal: AbortSignal,
): Promise<{ readonly attached: Attached | undefined; readonly others: readonly Digest[] }> {
  const own = await ownStatements(signable, predicateType, signal);
  const wanted = essence(predicate);
  const same = own.find(({ payload }) =>
    isDeepStrictEqual(essence(objectOf(parseJsonObject(payload)["predicate"])), wanted),
  );
  const others = own.flatMap(({ manifest }) => (manifest === same?.manifest ? [] : [manifest]));
  if (same !== undefined) return { attached: { digest: same.manifest, written: false }, others };
  if (others.length >= most) return { attached: undefined, others };
  const subject = { name: signable.repository.name, digest: digestSet(signable.subject.digest) };
  return { attached: await attach(signable, { predicateType, subject, predicate }, signal), others };
}

/** in-toto, "DigestSet". */
function digestSet(digest: Digest): Readonly<Record<string, string>> {
  return { [algorithmOf(digest)]: hexOf(digest) };
}

interface Statement {
  readonly predicateType: string;
  readonly subject: object;
  readonly predicate: object;
}

/** Writes the statement in an envelope in a bundle in a manifest that refers to the subject (cosign's BUNDLE_SPEC). */
async function attach(
  { repository, subject, key, marks }: Signable,
  statement: Statement,
  signal: AbortSignal,
): Promise<Attached> {
  const bundle = bundleOf(statement, key);
  const layer = { mediaType: bundleArtifactType, digest: sha256Of(bundle), size: bundle.length };
  const empty = Buffer.from("{}");
  const config = { mediaType: ociEmptyType, digest: sha256Of(empty), size: empty.length };
  const { mediaType, digest, size } = subject;
  const manifest = {
    schemaVersion: 2,
    mediaType: ociManifestType,
    artifactType: bundleArtifactType,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": statement.predicateType,
      ...marks,
    },
  };
  for (const [descriptor, bytes] of [
    [config, empty],
    [layer, bundle],
  ] as const)
    if (!(await repository.exists(descriptor, signal)))
      await repository.pushBlob(descriptor, (offset) => bytesFrom(bytes, offset), signal);
  const bytes = Buffer.from(JSON.stringify(manifest));
  const written = { mediaType: ociManifestType, digest: sha256Of(bytes), size: bytes.length };
  await repository.pushManifest(written, bytes, written.digest, signal);
  return { digest: written.digest, written: true };
}

function bundleOf({ predicateType, subject, predicate }: Statement, key: SigningKey): Buffer {
  const statement = { _type: "https://in-toto.io/Statement/v1", subject: [subject], predicateType, predicate };
  const payload = Buffer.from(JSON.stringify(statement));
  // As cosign finds the key: the SHA-256 of its DER.
  const spki = key.publicKey.export({ type: "spki", format: "der" });
  const hint = createHash("sha256").update(spki).digest("base64");
  return Buffer.from(
    JSON.stringify({
      mediaType: bundleArtifactType,
      verificationMaterial: { publicKey: { hint } },
      dsseEnvelope: {
        payload: payload.toString("base64"),
        payloadType: inTotoPayloadType,
        signatures: [{ sig: key.sign(preAuthEncoding(inTotoPayloadType, payload)).toString("base64") }],
      },
    }),
  );
}
