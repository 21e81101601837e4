/** How much of what a registry offers as signatures is looked at; the defaults stand in `config.ts`. */
export interface VerifyLimits {
  /** Signature manifests considered for one artifact, and signatures in one legacy manifest. */
  readonly maxSignatures: number;
  /** The most that one signature's manifest or blob may have. */
  readonly maxSignatureBytes: number;
  /** The most that is read for one artifact in all. */
  readonly maxTotalBytes: number;
  /** Results kept in memory. */
  readonly cacheEntries: number;
  /** How long a result is believed without looking again. */
  readonly cacheTtlMs: number;
  /** Of one answer of a server that says which certificates were revoked; those of notation. */
  readonly ocsp: AnswerLimits;
  readonly revocationList: AnswerLimits;
  /** Such lists that are read at once, whoever asks: each is in memory while it is. */
  readonly listsAtOnce: number;
  /** Of such answers: bytes that are kept together, and milliseconds for which one is believed without asking again. */
  readonly revocationCache: { readonly maxSize: number; readonly ttl: number };
}

export interface AnswerLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
}
