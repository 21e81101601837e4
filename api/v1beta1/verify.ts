import * as z from "zod";
import { DURATION_PATTERN } from "./duration.ts";
import { list, localRef, text } from "./fields.ts";
import { isSet, withRules } from "./rules.ts";
import { re2List } from "./syntax.ts";

const oidcIdentity = z
  .strictObject({
    issuer: text(
      "RE2 regular expression for the issuer in the signer's certificate, such as `^https://token.actions.githubusercontent.com$`.",
    ),
    subject: text(
      "RE2 regular expression for the subject in the signer's certificate, such as `^https://github.com/org/.*$`.",
    ),
  })
  .describe("An accepted signer: both expressions must match.");

/** `spec.verify`. */
export const verifySchema = withRules(
  z
    .strictObject({
      provider: z
        .enum(["cosign", "notation", "ocm"])
        .default("cosign")
        .describe(
          "The technology that signed the artifact. `ocm`: the signatures in the descriptor of the component version, see `component`.",
        ),
      secretRef: localRef(
        "A Secret with the trusted keys. cosign: every `*.pub` is a key, any may have signed. " +
          "notation: certificates `*.pem` or `*.crt` and `trustpolicy.json`. ocm: every `*.pub` is an RSA key, any may have signed. Without it, cosign verifies keyless.",
      ).optional(),
      signature: text(
        "ocm: name of the signature that counts, such as `default`. When absent: any that one of the keys has made.",
        256,
      )
        .min(1)
        .optional(),
      matchOIDCIdentity: list(oidcIdentity, "Keyless: who may have signed. One matching entry is enough.").optional(),
      minAge: z
        .string()
        .max(64)
        .regex(DURATION_PATTERN, "write a duration such as 72h or 1h30m")
        .describe(
          "Takes a version only once its signature is that old, such as `72h`, by the time that a transparency log or a timestamp authority vouches for. Until then the previous one stays; with ranges and policies, the newest that is old enough is taken.",
        )
        .optional(),
      trustedRootSecretRef: localRef(
        "Keyless: a Secret with the `trusted_root.json` of a private Sigstore. Without it, the public one is trusted.",
      ).optional(),
    })
    .describe("Accepts only what carries a good signature. It is checked before any child of an index is fetched."),
  [
    {
      cel: "!has(self.minAge) || self.provider != 'ocm'",
      holds: ({ provider, minAge }) => !isSet(minAge) || provider !== "ocm",
      message:
        "minAge needs a time that somebody vouches for, which the signatures of OCM component versions do not carry; remove minAge, or verify with cosign or notation",
    },
    {
      cel: "self.provider != 'ocm' || has(self.secretRef)",
      holds: ({ provider, secretRef }) => provider !== "ocm" || isSet(secretRef),
      message: "ocm needs secretRef, a Secret whose *.pub are the signers' public keys",
    },
    {
      cel: "!has(self.signature) || self.provider == 'ocm'",
      holds: ({ provider, signature }) => !isSet(signature) || provider === "ocm",
      message: "signature names a signature of an OCM component version; write provider: ocm beside it, or remove it",
    },
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
  [re2List("matchOIDCIdentity", ["issuer", "subject"])],
);
