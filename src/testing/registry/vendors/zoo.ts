import { acr } from "./acr.ts";
import { artifactory } from "./artifactory.ts";
import { cloudflare } from "./cloudflare.ts";
import { distribution2 } from "./distribution-2.ts";
import { distribution3 } from "./distribution-3.ts";
import { dockerHub } from "./docker-hub.ts";
import { ecr } from "./ecr.ts";
import { ecrPublic } from "./ecr-public.ts";
import { ghcr } from "./ghcr.ts";
import { gitea } from "./gitea.ts";
import { gitlab } from "./gitlab.ts";
import { google } from "./google.ts";
import { harbor } from "./harbor.ts";
import { ibm } from "./ibm.ts";
import { nexus } from "./nexus.ts";
import { quay } from "./quay.ts";
import { zot } from "./zot.ts";
import { type Capabilities, type Vendor } from "./vendor.ts";

/** Every vendor there is a profile of. */
export const vendors: readonly Vendor[] = [
  dockerHub,
  ghcr,
  gitlab,
  harbor,
  quay,
  ecr,
  ecrPublic,
  google,
  acr,
  artifactory,
  nexus,
  zot,
  distribution2,
  distribution3,
  gitea,
  ibm,
  cloudflare,
];

const columns: readonly (readonly [string, (vendor: Vendor) => string])[] = [
  ["registry", ({ name }) => name],
  ["known by", ({ knownBy }) => (knownBy === "server" ? "real server" : "reports")],
  ...(["auth", "head", "referrers", "chunks", "tags", "deletes"] as const).map(
    (key: keyof Capabilities) => [key, ({ can }: Vendor) => can[key]] as const,
  ),
];

/** The first table of docs/registries.md. */
export function capabilityTable(): string {
  return tableOf([columns.map(([name]) => name), ...vendors.map((vendor) => columns.map(([, cell]) => cell(vendor)))]);
}

/** The second: what is modelled of each, and from which report. */
export function quirkTable(): string {
  const rows = vendors.flatMap(({ name, quirks }) => quirks.map(({ what, report }) => [name, what, report]));
  return tableOf([["registry", "what it does", "reported at"], ...rows]);
}

function tableOf([head = [], ...rows]: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
}
