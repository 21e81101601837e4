import { isTooNarrow, missizedReferrers, usual, type Vendor } from "./vendor.ts";

export const harbor: Vendor = {
  name: "Harbor",
  knownBy: "report",
  can: { ...usual, head: "hint", referrers: "API, wrong sizes" },
  quirks: [
    { what: "a narrow token is answered with a Basic challenge", report: "goharbor/harbor#18856" },
    { what: "referrers with the size of manifest, config and layers together", report: "goharbor/harbor#20187" },
    { what: "a HEAD with another length than the GET", report: "oras-project/oras#2054" },
  ],
  guard: (registry) => {
    const missized = missizedReferrers(registry, (size) => size + 1265);
    return (request) => {
      if (isTooNarrow(registry, request))
        return { status: 401, headers: { "www-authenticate": 'Basic realm="harbor"' } };
      const isCheck = request.method === "HEAD" && request.url.includes("/manifests/");
      return isCheck ? { headers: { "content-length": "77" } } : missized(request);
    };
  },
};
