import { isTooNarrow, pathOf, usual, type Vendor } from "./vendor.ts";

export const ibm: Vendor = {
  name: "IBM Cloud",
  knownBy: "report",
  can: usual,
  quirks: [{ what: "a token for pull alone is answered 403 insufficient_scope", report: "devcontainers/cli#945" }],
  guard: (registry) => (request) => {
    if (!isTooNarrow(registry, request)) return undefined;
    const [, repository = ""] = /^\/v2\/(.+?)\/(?:blobs|manifests)\//.exec(pathOf(request.url)) ?? [];
    const scope = `repository:${repository}:pull,push`;
    const realm = `Bearer realm="${registry.url}/token",service="test-registry"`;
    return { status: 403, headers: { "www-authenticate": `${realm},scope="${scope}",error="insufficient_scope"` } };
  },
};
