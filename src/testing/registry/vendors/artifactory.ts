import { usual, type Vendor } from "./vendor.ts";

export const artifactory: Vendor = {
  name: "Artifactory",
  knownBy: "report",
  can: { ...usual, auth: "Basic", head: "refused", tags: "Link, broken" },
  quirks: [
    { what: "what is private is 404 to strangers", report: "atomist-attic/rug-cli#220" },
    { what: "what does not exist yet is 403 to a HEAD", report: "google/go-containerregistry#1691" },
    { what: "a Link that leads to a path that is not there", report: "renovatebot/renovate#20745" },
  ],
  options: { pageSize: 50 },
  guard:
    ({ url: origin }) =>
    ({ method, url, headers }) => {
      const { pathname } = new URL(url, origin);
      if (headers.authorization === undefined && pathname !== "/v2/") return { status: 404 };
      if (method === "HEAD") return { status: 403 };
      if (pathname.startsWith("/artifactory")) return { status: 404 };
      return pathname.endsWith("/tags/list")
        ? { headers: { link: '</artifactory/api/docker/x>; rel="next"' } }
        : undefined;
    },
};
