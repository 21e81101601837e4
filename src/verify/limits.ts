/** How much of what a registry offers as signatures is looked at; the defaults stand in `config.ts`. */
export interface VerifyLimits {
  /** Signature manifests considered for one artifact, and signatures in one legacy manifest. */
  readonly maxSignatures: number;
  /** Of one signature's manifest or blob. */
  readonly maxSignatureBytes: number;
  /** Of all that is read for one artifact. */
  readonly maxTotalBytes: number;
  /** Results kept in memory. */
  readonly cacheEntries: number;
  /** How long a result is believed without looking again. */
  readonly cacheTtlMs: number;
}
