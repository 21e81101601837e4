import { usual, type Vendor } from "./vendor.ts";

export const acr: Vendor = {
  name: "ACR",
  knownBy: "report",
  can: usual,
  quirks: [
    {
      what: "tokens are exchanged by POST, with a refresh token",
      report: "https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md",
    },
  ],
  guard:
    () =>
    ({ method, url }) =>
      method === "GET" && url.startsWith("/token") ? { status: 405 } : undefined,
};
