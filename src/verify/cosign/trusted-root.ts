import type { TrustMaterial } from "@sigstore/verify";
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { CodedError } from "../../errors.ts";
import { parseJson } from "../../text/json.ts";

/** More than a few private Sigstores in one cluster are unlikely; parsing one takes some milliseconds. */
const maxRoots = 32;
const publicTuf = "https://tuf-repo-cdn.sigstore.dev";

/** What a trusted root is asked for: who issues certificates, or when a signature was seen. */
export type RootPurpose = "certificates" | "times";

/** `trusted_root.json` of the public Sigstore. @throws DependencyNotReady where there is none yet; Aborted */
export type ReadPublicRoot = (signal: AbortSignal) => Promise<string>;

/** Keeps what trusted roots were parsed to. */
export class TrustedRoots {
  readonly #parsed = new LRUCache<string, TrustMaterial>({ max: maxRoots });

  /**
   * @param json a `trusted_root.json`
   * @throws SecretInvalid also where it does not hold what the purpose needs
   */
  async get(json: string, purpose: RootPurpose): Promise<TrustMaterial> {
    const key = createHash("sha256").update(json).digest("hex");
    const known = this.#parsed.get(key);
    const material = known ?? (await parse(json));
    if (known === undefined) this.#parsed.set(key, material);
    assertSuffices(material, purpose);
    return material;
  }
}

/** @throws SecretInvalid for a `trusted_root.json` by which no certificate can be judged */
export async function assertTrustedRoot(json: string): Promise<void> {
  assertSuffices(await parse(json), "certificates");
}

/** Without these a root could only be trusted by leaving checks out. @throws SecretInvalid */
function assertSuffices(material: TrustMaterial, purpose: RootPurpose): void {
  const needed = purpose === "certificates" ? (["certificateAuthorities", "ctlogs"] as const) : [];
  const missing: string[] = needed.filter((list) => material[list].length === 0);
  if (material.tlogs.length === 0 && material.timestampAuthorities.length === 0)
    missing.push("tlogs or timestampAuthorities");
  if (missing.length > 0) throw invalid(`lists no ${missing.join(", no ")}`);
}

async function parse(json: string): Promise<TrustMaterial> {
  // The default export is the whole of a CommonJS package, also where a bundler has split it off.
  const [specs, verify] = await Promise.all([import("@sigstore/protobuf-specs"), import("@sigstore/verify")]);
  return attempt(() => verify.default.toTrustMaterial(specs.default.TrustedRoot.fromJSON(parseJson(json))));
}

function attempt<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw invalid("cannot be read", cause);
  }
}

function invalid(problem: string, cause?: unknown): CodedError {
  return new CodedError(
    "SecretInvalid",
    `trusted_root.json ${problem}; make it with "cosign trusted-root create" or take it from the TUF repository of your Sigstore`,
    cause === undefined ? {} : { cause },
  );
}

/** The trusted root of the public Sigstore as the sigstore packages ship it. */
export async function embeddedRoot(): Promise<string> {
  return (await seed()).targets["trusted_root.json"].toString("utf8");
}

/** Its TUF repository's `root.json` likewise. */
export async function publicAnchor(): Promise<Uint8Array> {
  return (await seed())["root.json"];
}

async function seed() {
  const { default: seeds } = await import("@sigstore/tuf/seeds.json", { with: { type: "json" } });
  const bytes = (base64: string): Buffer => Buffer.from(base64, "base64");
  const { targets, "root.json": root } = seeds[publicTuf];
  return { "root.json": bytes(root), targets: { "trusted_root.json": bytes(targets["trusted_root.json"]) } };
}
