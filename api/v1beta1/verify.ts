import * as z from "zod";
import { list, localRef, text } from "./fields.ts";
import { isSet, withRules } from "./rules.ts";

const oidcIdentity = z
  .strictObject({
    issuer: text("RE2 regular expression for the issuer in the signer's certificate."),
    subject: text("RE2 regular expression for the subject in the signer's certificate."),
  })
  .describe("An accepted signer: both expressions must match.");

/** `spec.verify`. */
export const verifySchema = withRules(
  z
    .strictObject({
      provider: z.enum(["cosign", "notation"]).default("cosign").describe("The technology that signed the artifact."),
      secretRef: localRef(
        "A Secret with the trusted keys. cosign: every `*.pub` is a key, any may have signed. " +
          "notation: certificates `*.pem` or `*.crt` and `trustpolicy.json`. Without it, cosign verifies keyless.",
      ).optional(),
      matchOIDCIdentity: list(oidcIdentity, "Keyless: who may have signed. One matching entry is enough.").optional(),
      trustedRootSecretRef: localRef(
        "Keyless: a Secret with the `trusted_root.json` of a private Sigstore. Without it, the public one is trusted.",
      ).optional(),
    })
    .describe("Accepts only what carries a good signature. It is checked before any child of an index is fetched."),
  [
    {
      cel: "self.provider != 'notation' || has(self.secretRef)",
      holds: ({ provider, secretRef }) => provider !== "notation" || isSet(secretRef),
      message: "notation needs secretRef, a Secret with its certificates and trustpolicy.json",
    },
    {
      cel: "!has(self.secretRef) || !has(self.matchOIDCIdentity) || size(self.matchOIDCIdentity) == 0",
      holds: ({ secretRef, matchOIDCIdentity }) => !isSet(secretRef) || (matchOIDCIdentity ?? []).length === 0,
      message: "write either secretRef (keys) or matchOIDCIdentity (keyless), not both",
    },
  ],
);
