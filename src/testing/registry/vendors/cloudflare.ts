import { once, usual, type Vendor } from "./vendor.ts";

export const cloudflare: Vendor = {
  name: "Cloudflare",
  knownBy: "report",
  can: { ...usual, chunks: "size limit" },
  quirks: [
    { what: "a 522 or 520 in front of a good answer", report: "google/go-containerregistry#1707" },
    { what: "a request that is too large is 413", report: "https://github.com/cloudflare/serverless-registry" },
  ],
  guard: () => {
    const broken = once((method, path) => method === "GET" && path.includes("/manifests/"), { status: 522 });
    return (request) => (Number(request.headers["content-length"] ?? 0) > 300_000 ? { status: 413 } : broken(request));
  },
};
