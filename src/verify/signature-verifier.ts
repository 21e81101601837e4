import { CodedError } from "../errors.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { assertOld } from "./age.ts";
import { withBudget } from "./content.ts";
import { verifyCosign } from "./cosign/cosign.ts";
import { settled } from "../oci/fetch-all.ts";
import type { VerifyLimits } from "./limits.ts";
import { verifyNotation } from "./notation/notation.ts";
import { verifyOcm } from "./ocm/ocm.ts";
import { TrustedRoots } from "./cosign/trusted-root.ts";
import type { Verification, Verifier, VerifyRequest } from "./verifier.ts";

/**
 * Verifies signatures by cosign, by notation and of OCM component versions. A good result is kept by access, digest and policy, since none can change without
 * changing its name; a refusal is not kept, since a signature may be added at any time. By access, because what a lenient
 * policy lets pass depends on the signatures that were shown.
 *
 * @param clock milliseconds since the epoch
 */
export function signatureVerifier(limits: VerifyLimits, clock: () => number = Date.now): Verifier {
  const roots = new TrustedRoots();
  const known = new SharedCache<Verification>({ max: limits.cacheEntries, ttl: limits.cacheTtlMs });
  return {
    verify: async (request) => {
      const { repository, root, policy } = request;
      // notation chooses its statement by the repository, so a result is good for that one alone.
      const key = JSON.stringify([
        policy.fingerprint,
        policy.provider === "cosign" ? policy.annotations : undefined,
        repository.name,
        root.digest,
        ...(root.isHint ? [] : [root.size, root.mediaType]),
      ]);
      const cached = repository.access && known.get(repository.access, key);
      if (cached !== undefined && clock() < (cached.validUntil ?? Infinity)) return assertOld(cached, request, clock());
      const verification = await verify(request, limits, { roots, now: clock() });
      if (repository.access) known.set(repository.access, key, verification);
      return assertOld(verification, request, clock());
    },
  };
}

async function verify(
  request: VerifyRequest,
  limits: VerifyLimits,
  { roots, now }: { roots: TrustedRoots; now: number },
): Promise<Verification> {
  const { policy, repository, signal } = request;
  if (signal.aborted) throw new CodedError("Aborted", "verifying signatures was aborted");
  if (policy.provider === "ocm") return await verifyOcm(request, policy, limits);
  const metered = { ...request, repository: withBudget(repository, limits.maxTotalBytes) };
  if (policy.provider === "cosign") return await verifyCosign(metered, policy, limits, { roots, now });
  // notation signs the size and the type along. How much is read is for the repository to cap.
  const root = await settled(repository, request.root, { maxManifestBytes: Infinity }, signal);
  return await verifyNotation({ ...metered, root }, policy, limits, now);
}
