import pLimit from "p-limit";
import { codeOf, messageOf } from "../errors.ts";
import { resolveOptional } from "../oci/absence.ts";
import type { Repository } from "../oci/content.ts";
import { cosignTag, isVague, readReferrer } from "../oci/referrer.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { counted } from "../text/count.ts";

const concurrency = 8;
/** A registry is not asked about more manifests than this; each takes a few requests. */
const maxSubjects = 100;
/** After so many failures nothing better is to be expected of a registry. */
const maxFailures = 3;

/** Entries of one list whose manifests are read, and how large those may be. */
const maxVague = 20;
const maxVagueBytes = 256 * 1024;

/** Something that refers to a manifest: a signature, an SBOM, a scan. */
export interface Referrer {
  readonly descriptor: Descriptor;
  /** cosign's older way: the tag under which it was found. */
  readonly tag?: string;
}

export interface Referrers {
  readonly bySubject: ReadonlyMap<Digest, readonly Referrer[]>;
  /** Why some are missing, one sentence each. */
  readonly problems: readonly string[];
}

/**
 * What refers to each of `subjects`, by the referrers API or its fallback tag, and by cosign's older tags
 * `sha256-<hex>.sig`, `.att` and `.sbom`. A lookup that fails is a problem to tell, not a failure.
 *
 * @throws the reason of `signal`
 */
export async function findReferrers(
  repository: Repository,
  subjects: readonly Digest[],
  signal: AbortSignal,
): Promise<Referrers> {
  const bySubject = new Map<Digest, readonly Referrer[]>();
  const failures: string[] = [];
  const run = pLimit(concurrency);
  const lookUp = async (subject: Digest): Promise<void> => {
    if (failures.length >= maxFailures) return;
    try {
      const found = await referrersOf(repository, subject, signal);
      if (found.length > 0) bySubject.set(subject, found);
    } catch (error) {
      signal.throwIfAborted();
      failures.push(`${messageOf(error)} [${codeOf(error)}]`);
    }
  };
  await Promise.all(subjects.slice(0, maxSubjects).map((subject) => run(lookUp, subject)));
  const more = subjects.length - maxSubjects;
  const problems = [
    ...(failures.length > 0
      ? [`Not every signature and SBOM is shown, because looking for them failed: ${failures[0]}`]
      : []),
    ...(more > 0 ? [`Signatures and SBOMs of ${counted(more, "more manifest")} were not looked for.`] : []),
  ];
  return { bySubject, problems };
}

async function referrersOf(repository: Repository, subject: Digest, signal: AbortSignal): Promise<Referrer[]> {
  const tags = (["sig", "att", "sbom"] as const).flatMap((suffix) => cosignTag(subject, suffix) ?? []);
  const [listed, ...tagged] = await Promise.all([
    listedOf(repository, subject, signal),
    ...tags.map(async (tag) => ({ tag, descriptor: await resolveOptional(repository, tag, signal) })),
  ]);
  return [
    ...listed.map((descriptor) => ({ descriptor })),
    ...tagged.flatMap(({ tag, descriptor }) => (descriptor === undefined ? [] : [{ tag, descriptor }])),
  ];
}

/** Where the list does not say what something is, its manifest does; one that cannot be read stays as it is listed. */
async function listedOf(repository: Repository, subject: Digest, signal: AbortSignal): Promise<Descriptor[]> {
  const listed = await repository.referrers(subject, signal);
  return await Promise.all(
    listed.map(async (entry, at) => {
      if (!isVague(entry) || at >= maxVague) return entry;
      try {
        return await readReferrer(repository, entry, { maxManifestBytes: maxVagueBytes }, signal);
      } catch {
        signal.throwIfAborted();
        return entry;
      }
    }),
  );
}

const meanings: readonly (readonly [RegExp, string])[] = [
  [/^application\/vnd\.dev\.sigstore\.bundle\b/, "Sigstore bundle"],
  [/^application\/vnd\.dev\.cosign\..*\bsig\b/, "cosign signature"],
  [/^application\/vnd\.cncf\.notary\.signature$/, "Notation signature"],
  [/spdx/, "SBOM (SPDX)"],
  [/cyclonedx/, "SBOM (CycloneDX)"],
  [/syft/, "SBOM (Syft)"],
  [/sarif/, "scan result"],
  [/in-toto|dsse/, "attestation"],
];
const tagMeanings: Readonly<Record<string, string>> = {
  sig: "cosign signature",
  att: "cosign attestation",
  sbom: "cosign SBOM",
};

/** What a referrer is, as far as its type or tag tells. */
export function meaningOf({ descriptor, tag }: Referrer): string | undefined {
  if (tag !== undefined) return tagMeanings[tag.slice(tag.lastIndexOf(".") + 1)];
  const { artifactType } = descriptor;
  return artifactType === undefined ? undefined : meanings.find(([pattern]) => pattern.test(artifactType))?.[1];
}
