import { isVague, readReferrer } from "../oci/referrer.ts";
import type { Descriptor } from "../oci/types.ts";
import { isFinding } from "./findings.ts";
import type { VerifyLimits } from "./limits.ts";
import type { VerifyRequest } from "./verifier.ts";

/** What refers to the root and may be of a type; `more` is how many beyond the limit nobody looks at. */
export interface Candidates {
  readonly listed: AsyncGenerator<Descriptor>;
  readonly more: number;
}

/**
 * The root's referrers of `artifactType`: first those that are listed so, then those whose own manifest says it. Lists
 * state a wrong type, the empty one or none (cosign 2.6 and 3.0 under the fallback tag, Harbor, Google), so the others are
 * read as well, those that are listed without a type before the rest, once nobody wants another of the first.
 */
export async function candidatesOf(
  { repository, root, signal }: Pick<VerifyRequest, "repository" | "root" | "signal">,
  artifactType: string,
  limits: VerifyLimits,
): Promise<Candidates> {
  const all = await repository.referrers(root.digest, signal);
  const exact = all.filter((entry) => entry.artifactType === artifactType);
  const others = all.filter((entry) => entry.artifactType !== artifactType);
  const ordered = [...others.filter(isVague), ...others.filter((entry) => !isVague(entry))];
  async function* listed(): AsyncGenerator<Descriptor> {
    yield* exact.slice(0, limits.maxSignatures);
    for (const entry of ordered.slice(0, Math.max(0, limits.maxSignatures - exact.length)))
      if (await isOfType(entry)) yield entry;
  }
  async function isOfType(entry: Descriptor): Promise<boolean> {
    try {
      const found = await readReferrer(repository, entry, { maxManifestBytes: limits.maxSignatureBytes }, signal);
      return found.artifactType === artifactType;
    } catch (error) {
      // What cannot be read, and is not even said to be a signature, is none.
      if (!signal.aborted && isFinding(error)) return false;
      throw error;
    }
  }
  return { listed: listed(), more: Math.max(0, exact.length - limits.maxSignatures) };
}
