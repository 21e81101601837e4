import { parseDuration } from "../../api/v1beta1/duration.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { verifyLimits } from "../config.ts";
import type { Ask } from "../http/ask.ts";
import type { Outside } from "../verify/signature-verifier.ts";
import type { Verifier, VerifyPolicy } from "../verify/verifier.ts";

/** Verifies with what is loaded when the first object asks for it: most controllers never need it. */
export function lazyVerifier(outside: Outside & { readonly ask: Ask }): Verifier {
  let loading: Promise<Verifier> | undefined;
  return {
    verify: async (request) => {
      loading ??= import("../verify/signature-verifier.ts").then(({ signatureVerifier }) =>
        signatureVerifier(verifyLimits, Date.now, outside),
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
