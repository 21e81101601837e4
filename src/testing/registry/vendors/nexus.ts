import { usual, type Vendor } from "./vendor.ts";

export const nexus: Vendor = {
  name: "Nexus",
  knownBy: "report",
  can: { ...usual, auth: "Basic", referrers: "fallback tag", tags: "Link, broken" },
  quirks: [
    { what: "what is private is 404 to strangers", report: "sonatype/nexus-public#217" },
    { what: "a Link that leads to a path that this port does not serve", report: "sonatype/nexus-public#1011" },
  ],
  options: { referrers: false, pageSize: 50 },
  guard:
    ({ url: origin }) =>
    ({ url, headers }) => {
      const { pathname } = new URL(url, origin);
      if (headers.authorization === undefined && pathname !== "/v2/") return { status: 404 };
      if (pathname.startsWith("/repository")) return { status: 400 };
      return pathname.endsWith("/tags/list")
        ? { headers: { link: `<${origin}/repository/x>; rel="next"` } }
        : undefined;
    },
};
