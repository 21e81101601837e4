import { usual, type Vendor } from "./vendor.ts";

export const distribution2: Vendor = {
  name: "distribution 2",
  knownBy: "server",
  can: { ...usual, referrers: "fallback tag" },
  quirks: [
    { what: "no referrers API", report: "https://github.com/distribution/distribution/blob/v2.8.2/docs/spec/api.md" },
  ],
  options: { referrers: false, pageSize: 100 },
};
