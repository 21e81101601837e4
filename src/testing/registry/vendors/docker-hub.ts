import { once, usual, type Vendor } from "./vendor.ts";

export const dockerHub: Vendor = {
  name: "Docker Hub",
  knownBy: "report",
  can: { ...usual, deletes: "no" },
  quirks: [
    { what: "one 500 in front of a good answer", report: "containers/common#2299" },
    { what: "a 429 in front of a good answer", report: "docker/hub-feedback#1907" },
  ],
  options: { deletes: false },
  guard: () => {
    const broken = once((method, path) => method === "GET" && path.includes("/blobs/"), { status: 500 });
    const busy = once((method, path) => method === "GET" && path.includes("/manifests/"), {
      status: 429,
      headers: { "retry-after": "0" },
    });
    return (request) => broken(request) ?? busy(request);
  },
};
