import { usual, type Vendor } from "./vendor.ts";

export const ecr: Vendor = {
  name: "ECR",
  knownBy: "report",
  can: { ...usual, auth: "Basic", head: "hint", chunks: "Range stuck" },
  quirks: [
    { what: "the Range of a PATCH stays at the first chunk", report: "aws/containers-roadmap#2831" },
    { what: "no Docker-Content-Digest, and a HEAD of length 0", report: "containerd/containerd#3238" },
  ],
  guard:
    () =>
    ({ method, url }) => {
      if (method === "PATCH") return { headers: { range: "0-9" } };
      if (method === "HEAD" && url.includes("/manifests/"))
        return { headers: { "content-length": "0", "docker-content-digest": undefined } };
      return undefined;
    },
};
