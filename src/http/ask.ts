/** A question to a server that nobody has configured: something signed has named it. */
export interface Question {
  readonly url: URL;
  /** Sent by POST; undefined asks by GET. */
  readonly body?: { readonly type: string; readonly bytes: Uint8Array } | undefined;
  /** Until the whole answer is there. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/**
 * Gives the body of an answer 200. No credentials are sent along.
 *
 * @throws EndpointRefused for addresses that are never asked, and what a registry's answer fails with; Aborted
 */
export type Ask = (question: Question, signal: AbortSignal) => Promise<Buffer>;
