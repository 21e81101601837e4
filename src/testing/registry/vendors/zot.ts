import { usual, type Vendor } from "./vendor.ts";

export const zot: Vendor = {
  name: "zot",
  knownBy: "report",
  can: { ...usual, chunks: "Range stuck" },
  quirks: [{ what: "the Range of a PATCH stays at the first chunk", report: "regclient/regclient#961" }],
  guard:
    () =>
    ({ method }) =>
      method === "PATCH" ? { headers: { range: "0-9" } } : undefined,
};
