import { parseDuration } from "../../api/v1beta1/duration.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { verifyLimits } from "../config.ts";
import type { ReadPublicRoot } from "../verify/cosign/trusted-root.ts";
import type { Verifier, VerifyPolicy } from "../verify/verifier.ts";

/**
 * Verifies with what is loaded when the first object asks for it: most controllers never need it.
 * @param publicRoot by default the one that came along
 */
export function lazyVerifier(publicRoot?: ReadPublicRoot): Verifier {
  let loading: Promise<Verifier> | undefined;
  return {
    verify: async (request) => {
      loading ??= import("../verify/signature-verifier.ts").then(({ signatureVerifier }) =>
        signatureVerifier(verifyLimits, Date.now, publicRoot),
      );
      return await (await loading).verify(request);
    },
  };
}

/** The keys and identities of a spec. @throws SecretNotFound, SecretInvalid, InvalidSpec */
export async function verifyPolicyOf(
  verify: NonNullable<ArtifactRepositorySpec["verify"]>,
  read: (name: string, field: string) => Promise<ReadonlyMap<string, Buffer>>,
): Promise<VerifyPolicy> {
  const { readVerifyPolicy } = await import("../verify/policy.ts");
  return await readVerifyPolicy(verify, read, verify.minAge === undefined ? undefined : parseDuration(verify.minAge));
}
