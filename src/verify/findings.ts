import { CodedError, codeOf, type ErrorCode, messageOf } from "../errors.ts";
import type { Digest } from "../oci/types.ts";

const maxShown = 10;
/** Signatures in whose place the registry gives no proper answer, until it is taken to be down. */
const maxUnread = 3;

/**
 * What these say of one signature says nothing about the next, though the registry may be at fault: another answer of it may
 * be good.
 */
const answerCodes = new Set<ErrorCode>(["RegistryResponseInvalid", "RegistryUnavailable", "RegistryUnsupported"]);

/**
 * Errors of a single signature are findings: another signature may be good. Everything else (the registry is down, the
 * work was aborted) says nothing about the artifact and must not look like a missing signature.
 */
const findingCodes = new Set<ErrorCode>([
  "VerificationFailed",
  "ManifestInvalid",
  "ManifestTooLarge",
  "TooManyManifests",
  "DigestMismatch",
  "SizeMismatch",
  "InvalidDigest",
  "NotFound",
  // What no code was thought of for: a stack that ran out, a library that stumbled over a stranger's bytes.
  "Internal",
]);

/** Whether `error` is about the one thing that was read. */
export const isFinding = (error: unknown): boolean => findingCodes.has(codeOf(error));

/** What was found wrong with each signature that was looked at. */
export class Findings {
  readonly #reasons: string[] = [];
  readonly #unread: unknown[] = [];
  readonly #signal: AbortSignal;

  /** @param signal of the work: what fails once it has ended is not a finding */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** @param where the signature: `bundle sha256:…`, `tag sha256-….sig, layer 0` */
  add(where: string, reason: string): void {
    this.#reasons.push(`${where}: ${reason}`);
  }

  /**
   * Runs one check; what is wrong with this one signature becomes a finding, so that it never hides a good one. Everything
   * else passes through.
   */
  async attempt<T>(where: string, check: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      if (this.#signal.aborted) throw error;
      const code = codeOf(error);
      if (answerCodes.has(code) && this.#unread.length < maxUnread) this.#unread.push(error);
      else if (!findingCodes.has(code)) throw error;
      this.add(where, messageOf(error));
      return undefined;
    }
  }

  /** Why the first of those that could not be read was not; undefined where all were. */
  get unread(): unknown {
    return this.#unread[0];
  }

  get count(): number {
    return this.#reasons.length;
  }

  /**
   * The error for an artifact without a good signature: where one could not be read, why, since that one may be good.
   *
   * @param artifact `registry.example/team/app@sha256:…`
   * @param wanted what would have been accepted
   * @param lookedAt where signatures were looked for, and how to make one
   */
  failure(artifact: string, wanted: string, lookedAt: string): unknown {
    if (this.#unread.length > 0) return this.#unread[0];
    const shown = this.#reasons.slice(0, maxShown).join("; ");
    const rest = this.#reasons.length > maxShown ? `; and ${this.#reasons.length - maxShown} more` : "";
    const found =
      this.#reasons.length === 0
        ? `no signature was found: ${lookedAt}`
        : `of ${this.#reasons.length} found none is good: ${shown}${rest}`;
    return new CodedError("VerificationFailed", `${artifact} has no good signature by ${wanted}; ${found}`, {
      details: { signatures: this.#reasons.length },
    });
  }
}

/** A refusal of one signature. */
export function refused(reason: string, cause?: unknown): CodedError {
  return new CodedError("VerificationFailed", reason, cause === undefined ? {} : { cause });
}

/** `<repository>@<digest>` */
export function artifactName(repository: { readonly name: string }, root: { readonly digest: Digest }): string {
  return `${repository.name}@${root.digest}`;
}
