import { missizedReferrers, usual, type Vendor } from "./vendor.ts";

export const google: Vendor = {
  name: "Google AR, GCR",
  knownBy: "report",
  can: { ...usual, referrers: "API, wrong sizes", chunks: "refused" },
  quirks: [
    {
      what: "chunked uploads are not supported",
      report: "podman-container-tools/skopeo#1101, dotnet/sdk-container-builds#287",
    },
    { what: "referrers with a wrong size", report: "oras-project/oras#1626" },
  ],
  guard: (registry) => {
    const missized = missizedReferrers(registry, () => 521);
    return (request) =>
      request.method === "PATCH" && request.headers["content-range"] ? { status: 400 } : missized(request);
  },
};
