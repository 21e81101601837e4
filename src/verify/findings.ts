import { CodedError } from "../errors.ts";
import type { Digest } from "../oci/types.ts";
import { isFinding } from "./content.ts";

const maxShown = 10;

/** What was found wrong with each signature that was looked at. */
export class Findings {
  readonly #reasons: string[] = [];

  /** @param where the signature: `bundle sha256:…`, `tag sha256-….sig, layer 0` */
  add(where: string, reason: string): void {
    this.#reasons.push(`${where}: ${reason}`);
  }

  /** Runs one check; its refusal becomes a finding, everything else passes through. */
  async attempt<T>(where: string, check: () => Promise<T> | T): Promise<T | undefined> {
    try {
      return await check();
    } catch (error) {
      if (!isFinding(error)) throw error;
      this.add(where, error.message);
      return undefined;
    }
  }

  get count(): number {
    return this.#reasons.length;
  }

  /**
   * @param artifact `registry.example/team/app@sha256:…`
   * @param wanted what would have been accepted
   * @param lookedAt where signatures were looked for, and how to make one
   */
  failure(artifact: string, wanted: string, lookedAt: string): CodedError {
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
