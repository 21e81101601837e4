import type { Bundle } from "@sigstore/bundle";
import type { SignedEntity, Signer, TrustMaterial } from "@sigstore/verify";
import { createHash } from "node:crypto";
import { CodedError, messageOf } from "../../errors.ts";
import { refused } from "../findings.ts";
import { verifiesWith } from "./keys.ts";
import { assertLoggedWith } from "./log-entry.ts";
import type { SignatureMaterial } from "./signature-material.ts";

/** What has to vouch for a signature besides itself. */
export interface EvidenceStep {
  readonly material: SignatureMaterial;
  /** A Sigstore bundle (JSON): log entries, timestamps and, where `key` gives no other, the certificate. */
  readonly bundle: unknown;
  readonly trust: TrustMaterial;
  /** Verifies the signature instead of the certificate in the bundle. */
  readonly key?: SignedEntity["key"];
  /** How many entries of logs there must be; all that are there have to be good. */
  readonly logEntries: number;
  /** What to say where nobody vouches for a time. */
  readonly untimed: (entity: SignedEntity) => string;
}

/** Milliseconds since the epoch: the earliest time that a log or a timestamp authority vouches for. */
export type Vouched = Signer & { readonly signedAt: number };

/**
 * Checks, without any request, that the signature is over these bytes, and everything that the bundle says about it: each
 * timestamp is by an authority of the trusted root, each log entry is in a log of it and is about this very signature, and
 * the certificate was valid at each of the times. What others say does not count. At least one time has to be vouched for.
 *
 * @throws VerificationFailed
 */
export async function checkEvidence(step: EvidenceStep): Promise<Vouched> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const { bundleFromJSON } = (await import("@sigstore/bundle")).default;
  const { toSignedEntity, Verifier } = (await import("@sigstore/verify")).default;
  const { material, trust, key, logEntries, untimed } = step;
  try {
    const bundle = bundleFromJSON(step.bundle);
    const whole = { ...toSignedEntity(bundle, material.signed), ...(key && { key }) };
    const entity = withoutStrangers(whole, trust, logEntries);
    assertLogs(entity, trust, logEntries);
    const signedAt = earliest(entity);
    if (signedAt === undefined) throw refused(untimed(entity));
    const verifier = new Verifier(
      { ...trust, tlogs: logsAt(trust, signedAt) },
      { ctlogThreshold: 1, tlogThreshold: logEntries, timestampThreshold: 1 },
    );
    const signer = verifier.verify({ ...entity, signature: signatureContent(material) });
    const certificate = certificateOf(bundle.verificationMaterial.content);
    if (key === undefined && certificate !== undefined)
      for (const entry of entity.tlogEntries) assertLoggedWith(certificate, entry.canonicalizedBody);
    return { ...signer, signedAt };
  } catch (error) {
    if (error instanceof CodedError) throw error;
    // Whatever the library throws is about this one signature, whose every byte is a stranger's.
    throw refused(describe(error), error);
  }
}

type Material = Bundle["verificationMaterial"]["content"];

function certificateOf(content: Material): Buffer | undefined {
  if (content.$case === "certificate") return content.certificate.rawBytes;
  return content.$case === "x509CertificateChain" ? content.x509CertificateChain.certificates[0]?.rawBytes : undefined;
}

/**
 * Without the entries and timestamps of logs and authorities that the trusted root does not list, where the others are enough:
 * a signer may have used more than one. Else with all of them, since what is wrong is to be told.
 */
function withoutStrangers(entity: SignedEntity, trust: TrustMaterial, logEntries: number): SignedEntity {
  const isLogged = ({ logId }: SignedEntity["tlogEntries"][number]): boolean =>
    trust.tlogs.some(({ logID }) => logID.equals(logId.keyId));
  const isListed = (stamp: SignedEntity["timestamps"][number]): boolean => {
    if (stamp.$case === "transparency-log") return isLogged(stamp.tlogEntry);
    const { signerIssuer, signerSerialNumber } = stamp.timestamp;
    return trust.timestampAuthorities.some(
      ({ certChain: [leaf] }) => leaf?.issuer.equals(signerIssuer) && leaf.serialNumber.equals(signerSerialNumber),
    );
  };
  const tlogEntries = entity.tlogEntries.filter(isLogged);
  const listed = { ...entity, tlogEntries, timestamps: entity.timestamps.filter(isListed) };
  return tlogEntries.length >= logEntries && earliest(listed) !== undefined ? listed : entity;
}

function assertLogs({ tlogEntries }: SignedEntity, { tlogs }: TrustMaterial, needed: number): void {
  if (tlogEntries.length < needed)
    throw refused(
      `it is in no transparency log, as the trusted root asks for by listing ${tlogs.map(({ baseURL }) => baseURL).join(", ")}; sign it with the log`,
    );
}

/** A log's key counts for the time that the trusted root says; entries without a time of their own do not say when. */
function logsAt({ tlogs }: TrustMaterial, ms: number): TrustMaterial["tlogs"] {
  return tlogs.filter(({ validFor: { start, end } }) => start.getTime() <= ms && ms <= end.getTime());
}

/** Once the entity was verified: of an entry of the log the time counts where the log has signed it. */
function earliest({ timestamps }: SignedEntity): number | undefined {
  const times = timestamps.flatMap((stamp) => {
    if (stamp.$case === "timestamp-authority") return [stamp.timestamp.signingTime.getTime()];
    const { inclusionPromise, integratedTime } = stamp.tlogEntry;
    return inclusionPromise === undefined ? [] : [Number(integratedTime) * 1000];
  });
  return times.length === 0 ? undefined : Math.min(...times);
}

/**
 * The library's own content compares with SHA-256 alone and verifies with the default hash of a key, which refuses P-384 as
 * it is used in practice.
 */
function signatureContent({ signed, payload, signature }: SignatureMaterial): SignedEntity["signature"] {
  return {
    signature,
    compareSignature: (other) => other.equals(signature),
    compareDigest: (digest) => isDigestOf(payload, digest),
    compareSignedDigest: (digest) => isDigestOf(signed, digest),
    verifySignature: (key) => verifiesWith(key, signed, signature),
  };
}

const hashBySize: Readonly<Record<number, string>> = { 32: "sha256", 48: "sha384", 64: "sha512" };

function isDigestOf(bytes: Buffer, digest: Buffer): boolean {
  const hash = hashBySize[digest.length];
  return hash !== undefined && createHash(hash).update(bytes).digest().equals(digest);
}

/** What the library says in its own words where those do not say what to look at. */
const plainly: Readonly<Record<string, string>> = {
  "timestamp could not be verified":
    "its timestamp is by no authority that the trusted root lists for that time, or is of another signature",
  "invalid checkpoint signature":
    "its inclusion in a log is not proved: the checkpoint is signed by no log that the trusted root lists for that time",
};

function describe(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause).slice(0, 200)})` : "";
  const message = messageOf(error).slice(0, 200);
  return `${plainly[message] ?? message}${cause}`;
}
