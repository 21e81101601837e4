import { pathOf, usual, type Vendor } from "./vendor.ts";

export const gitlab: Vendor = {
  name: "GitLab",
  knownBy: "report",
  can: { ...usual, referrers: "none" },
  quirks: [
    {
      what: "the tag sha256-<hex> is resolved as the digest, so it brings the subject itself",
      report: "oras-project/oras-go#1396, fluxcd/flux2#4273",
    },
  ],
  options: { referrers: false },
  guard:
    ({ store }) =>
    ({ method, url }) => {
      const [, repository = "", hex = ""] = /^\/v2\/(.+)\/manifests\/sha256-([0-9a-f]{64})$/.exec(pathOf(url)) ?? [];
      const found = method === "GET" && hex !== "" ? store.manifest(repository, `sha256:${hex}`) : undefined;
      return found && { status: 200, body: found.stored.bytes, headers: { "content-type": found.stored.mediaType } };
    },
};
