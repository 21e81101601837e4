import { usual, type Vendor } from "./vendor.ts";

export const ecrPublic: Vendor = {
  name: "ECR Public",
  knownBy: "report",
  can: usual,
  quirks: [
    {
      what: "Bearer alone; Basic is refused",
      report: "https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html",
    },
  ],
  guard:
    () =>
    ({ url, headers }) =>
      !url.startsWith("/token") && headers.authorization?.startsWith("Basic ") ? { status: 400 } : undefined,
};
