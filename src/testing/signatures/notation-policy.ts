import { notationPolicy } from "../../verify/policy.ts";
import type { NotationPolicy } from "../../verify/verifier.ts";
import type { TestCertificate } from "./certificates.ts";

/** A trust policy of one statement, and whom it trusts. */
export interface PolicyOptions {
  readonly level?: string;
  readonly override?: Readonly<Record<string, string>>;
  readonly verifyTimestamp?: string;
  readonly stores?: readonly string[];
  readonly identities?: readonly string[];
  readonly scopes?: readonly string[];
  readonly trusted?: readonly TestCertificate[];
}

export function policyWith({
  level = "strict",
  override,
  verifyTimestamp,
  stores = ["ca:certs"],
  identities = ["*"],
  scopes = ["*"],
  trusted = [],
}: PolicyOptions): NotationPolicy {
  const skip = level === "skip";
  const document = {
    version: "1.0",
    trustPolicies: [
      {
        name: "app",
        registryScopes: scopes,
        signatureVerification: { level, override, verifyTimestamp },
        trustStores: skip ? [] : stores,
        trustedIdentities: skip ? [] : identities,
      },
    ],
  };
  const certificates = trusted.map(
    ({ certificate }, at) => [`${at}.crt`, Buffer.from(certificate.toString())] as const,
  );
  return notationPolicy(
    new Map([["trustpolicy.json", Buffer.from(JSON.stringify(document))], ...certificates]),
    "Secret notation",
  );
}
