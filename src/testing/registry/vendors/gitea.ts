import { usual, type Vendor } from "./vendor.ts";

export const gitea: Vendor = {
  name: "Gitea",
  knownBy: "report",
  can: { ...usual, referrers: "fallback tag", chunks: "refused" },
  quirks: [
    { what: "a second PATCH of an upload is 400 BLOB_UPLOAD_INVALID", report: "dotnet/sdk-container-builds#471" },
    { what: "the challenge is for the scope *, with Basic beside it", report: "go-gitea/gitea#37326" },
  ],
  options: { referrers: false },
  guard:
    ({ url: origin }) =>
    ({ method, url, headers }) => {
      if (!url.startsWith("/token") && headers.authorization === undefined) {
        const challenge = `Bearer realm="${origin}/token",service="test-registry",scope="*", Basic realm="Gitea"`;
        return { status: 401, headers: { "www-authenticate": challenge } };
      }
      const isSecond = method === "PATCH" && !(headers["content-range"] ?? "0-").startsWith("0-");
      return isSecond ? { status: 400, body: '{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}' } : undefined;
    },
};
