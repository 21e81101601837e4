import { usual, type Vendor } from "./vendor.ts";

export const ghcr: Vendor = {
  name: "GHCR",
  knownBy: "report",
  can: { ...usual, referrers: "fallback tag" },
  quirks: [
    {
      what: "no referrers API; bundles listed under the fallback tag without a type",
      report: "sigstore/cosign#4641, sigstore/cosign#5098",
    },
    {
      what: "stale credentials for a public repository are a 403 of the token endpoint",
      report: "secureCodeBox/secureCodeBox#2574",
    },
  ],
  options: { referrers: false },
};
