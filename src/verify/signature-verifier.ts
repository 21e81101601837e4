import { createHash } from "node:crypto";
import { CodedError } from "../errors.ts";
import type { Ask } from "../http/ask.ts";
import { SharedCache } from "../sharing/shared-cache.ts";
import { assertOld } from "./age.ts";
import { withBudget } from "./content.ts";
import { verifyCosign } from "./cosign/cosign.ts";
import { settled } from "../oci/fetch-all.ts";
import type { VerifyLimits } from "./limits.ts";
import { verifyNotation } from "./notation/notation.ts";
import { Answers } from "./notation/revocation/answers.ts";
import { verifyOcm } from "./ocm/ocm.ts";
import { embeddedRoot, type ReadPublicRoot, TrustedRoots } from "./cosign/trusted-root.ts";
import type { Verification, Verifier, VerifyPolicy, VerifyRequest } from "./verifier.ts";

/** What is asked over the network. */
export interface Outside {
  /** By default the one that came along. */
  readonly publicRoot?: ReadPublicRoot | undefined;
  /** For the servers that notation's certificates name; without it, nobody is asked, and nothing is known of them. */
  readonly ask?: Ask | undefined;
}

/**
 * Verifies signatures by cosign, by notation and of OCM component versions. A good result is kept by access, digest and policy, since none can change without
 * changing its name; a refusal is not kept, since a signature may be added at any time. By access, because what a lenient
 * policy lets pass depends on the signatures that were shown.
 *
 * @param clock milliseconds since the epoch
 */
export function signatureVerifier(
  limits: VerifyLimits,
  clock: () => number = Date.now,
  { publicRoot = embeddedRoot, ask = nobodyIsAsked }: Outside = {},
): Verifier {
  const roots = new TrustedRoots();
  const answers = new Answers(ask, limits);
  const known = new SharedCache<Verification>({ max: limits.cacheEntries, ttl: limits.cacheTtlMs });
  return {
    verify: async (request) => {
      const { repository, policy, signal } = request;
      if (signal.aborted) throw new CodedError("Aborted", "verifying signatures was aborted");
      const trustedRoot = await trustedRootOf(policy, () => publicRoot(signal));
      const key = keyOf(request, trustedRoot);
      const cached = repository.access && known.get(repository.access, key);
      if (cached !== undefined && clock() < (cached.validUntil ?? Infinity)) return assertOld(cached, request, clock());
      const verification = await verify(request, limits, { roots, answers, trustedRoot, now: clock() });
      if (repository.access) known.set(repository.access, key, verification);
      return assertOld(verification, request, clock());
    },
  };
}

/** What a result is good for, besides the access. */
function keyOf({ policy, repository, root }: VerifyRequest, trustedRoot: string | undefined): string {
  return JSON.stringify([
    policy.fingerprint,
    // It may be another one tomorrow.
    isPublic(policy) ? fingerprintOf(trustedRoot ?? "") : undefined,
    policy.provider === "cosign" ? policy.annotations : undefined,
    // notation chooses its statement by the repository.
    repository.name,
    root.digest,
    ...(root.isHint ? [] : [root.size, root.mediaType]),
  ]);
}

const fingerprintOf = (text: string): string => createHash("sha256").update(text).digest("base64");
const needsRoot = (policy: VerifyPolicy): boolean =>
  policy.provider === "cosign" && (policy.method === "keyless" || policy.minAgeMs !== undefined);
const isPublic = (policy: VerifyPolicy): boolean =>
  policy.provider === "cosign" && needsRoot(policy) && policy.trustedRoot === undefined;

/** `trusted_root.json` that the policy names, else the public one; undefined where none is needed. */
async function trustedRootOf(policy: VerifyPolicy, publicRoot: () => Promise<string>): Promise<string | undefined> {
  if (isPublic(policy)) return await publicRoot();
  return policy.provider === "cosign" && needsRoot(policy) ? policy.trustedRoot : undefined;
}

async function verify(
  request: VerifyRequest,
  limits: VerifyLimits,
  help: { roots: TrustedRoots; answers: Answers; trustedRoot: string | undefined; now: number },
): Promise<Verification> {
  const { policy, repository, signal } = request;
  if (policy.provider === "ocm") return await verifyOcm(request, policy, limits);
  const metered = { ...request, repository: withBudget(repository, limits.maxTotalBytes) };
  if (policy.provider === "cosign") return await verifyCosign(metered, policy, limits, help);
  // notation signs the size and the type along. How much is read is for the repository to cap.
  const root = await settled(repository, request.root, { maxManifestBytes: Infinity }, signal);
  return await verifyNotation({ ...metered, root }, policy, limits, help);
}

async function nobodyIsAsked(): Promise<never> {
  throw new CodedError("RegistryUnreachable", "servers are not asked here");
}
