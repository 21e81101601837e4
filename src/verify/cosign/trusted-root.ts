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

/** Keeps what trusted roots were parsed to. */
export class TrustedRoots {
  readonly #parsed = new LRUCache<string, TrustMaterial>({ max: maxRoots });

  /**
   * @param json a `trusted_root.json`; undefined for the public Sigstore's, as the sigstore packages ship it
   * @throws SecretInvalid also where it does not hold what the purpose needs
   */
  async get(json: string | undefined, purpose: RootPurpose): Promise<TrustMaterial> {
    const key = json === undefined ? "public" : createHash("sha256").update(json).digest("hex");
    const known = this.#parsed.get(key);
    const material = known ?? (await parse(json ?? (await publicRoot())));
    if (known === undefined) this.#parsed.set(key, material);
    assertSuffices(material, purpose);
    return material;
  }
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

async function publicRoot(): Promise<string> {
  const { default: seeds } = await import("@sigstore/tuf/seeds.json", { with: { type: "json" } });
  return Buffer.from(seeds[publicTuf].targets["trusted_root.json"], "base64").toString("utf8");
}
