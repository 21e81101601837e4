import { usual, type Vendor } from "./vendor.ts";

export const distribution3: Vendor = {
  name: "distribution 3",
  knownBy: "server",
  can: { ...usual, referrers: "fallback tag", tags: "page size refused" },
  quirks: [
    { what: "a page size above its own is 400 PAGINATION_NUMBER_INVALID", report: "distribution/distribution#4844" },
  ],
  options: { referrers: false, pageSize: 50 },
  guard:
    ({ url: origin }) =>
    ({ url }) =>
      Number(new URL(url, origin).searchParams.get("n") ?? 0) > 100 ? { status: 400 } : undefined,
};
