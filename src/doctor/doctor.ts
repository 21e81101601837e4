import { randomBytes } from "node:crypto";
import { CodedError } from "../errors.ts";
import type { CredentialTarget } from "../credentials/provider.ts";
import { askedFor, namesVersion, type Version } from "../oci/reference.ts";
import type { RegistryClient } from "../registry/client.ts";
import type { Access, Session } from "../registry/session.ts";
import { askAnonymous, askAuth } from "./access.ts";
import { answer, check, type Check } from "./check.ts";
import { anyTag, askReferrers, askTags } from "./lists.ts";
import { askDigest, askHead, askRange, askRate, describeRoot, fetchRoot, type Root } from "./manifest.ts";
import { askWrites } from "./writes.ts";

export interface Patient {
  readonly registry: RegistryClient;
  readonly target: CredentialTarget;
  readonly access: Access;
  /** Where none is named: `latest`, else any tag that is listed. */
  readonly version: Version;
  /** Pushes a blob and a manifest of its own, and removes them. */
  readonly write: boolean;
}

export interface Diagnosis {
  /** What was read; undefined where nothing could be. */
  readonly reference: string | undefined;
  /** Whether a manifest can be read with the credentials at hand. */
  readonly reads: boolean;
  readonly checks: readonly Check[];
}

/**
 * Asks a registry what it can do. A question that fails is an answer like any other.
 * @throws InvalidReference, Aborted
 */
export async function diagnose(patient: Patient, signal: AbortSignal): Promise<Diagnosis> {
  const { registry, target, access, version, write } = patient;
  const session = registry.session(target, access);
  const stranger = registry.session(target, { ...access, credentials: undefined });
  const checks = [await check("auth", signal, () => askAuth(session, signal))];
  let found: { reference: string; root: Root } | undefined;
  const read = await check("read", signal, async () => {
    found = await findRoot(session, version, signal);
    return answer("ok", `${found.reference}: ${describeRoot(found.root)}`, "reads it, and checks its digest");
  });
  checks.push(read);
  if (read.error !== undefined && unreachable.has(read.error.code))
    return { reference: undefined, reads: false, checks };
  if (found !== undefined) checks.push(...(await examine({ session, stranger, ...found }, signal)));
  checks.push(await check("tags", signal, () => askTags(session, signal)));
  const tag = `strata-doctor-${randomBytes(6).toString("hex")}`;
  if (write) checks.push(...(await askWrites(session, tag, signal)));
  return { reference: found?.reference, reads: found !== undefined, checks };
}

/** After these no other question is answered. */
const unreachable: ReadonlySet<string> = new Set([
  "RegistryUnreachable",
  "RegistryTimeout",
  "TlsFailed",
  "EndpointRefused",
]);

async function findRoot(
  session: Session,
  version: Version,
  signal: AbortSignal,
): Promise<{ reference: string; root: Root }> {
  const reference = askedFor(version);
  try {
    return { reference, root: await fetchRoot(session, reference, signal) };
  } catch (error) {
    if (namesVersion(version) || !(error instanceof CodedError) || error.code !== "NotFound") throw error;
    const other = await anyTag(session, signal).catch(() => undefined);
    if (other === undefined) throw error;
    return { reference: other, root: await fetchRoot(session, other, signal) };
  }
}

interface Case {
  readonly session: Session;
  readonly stranger: Session;
  readonly reference: string;
  readonly root: Root;
}

async function examine({ session, stranger, reference, root }: Case, signal: AbortSignal): Promise<Check[]> {
  return [
    await check("anonymous", signal, () => askAnonymous(stranger, reference, signal)),
    await check("head", signal, () => askHead(session, reference, root, signal)),
    await check("digest", signal, () => Promise.resolve(askDigest(root))),
    await check("range", signal, () => askRange(session, root, signal)),
    await check("referrers", signal, () => askReferrers(session, root.digest, signal)),
    await check("rate", signal, () => Promise.resolve(askRate(root))),
  ];
}
