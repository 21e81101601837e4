import type { ResourceType } from "../../../api/kinds.ts";
import { isDeepStrictEqual } from "node:util";
import { codeOf } from "../../errors.ts";
import type { KubeClient, KubeObject, ObjectKey } from "../client.ts";
import type { Clock } from "../clock.ts";

export const leases: ResourceType = Object.freeze({
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
});

/** coordination.k8s.io/v1, LeaseSpec. Times are MicroTimes. */
export interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export interface Lease extends KubeObject {
  readonly spec?: LeaseSpec;
}

export interface LeaseLockOptions {
  readonly client: KubeClient;
  readonly key: ObjectKey;
  /** Names this process alone, also after a restart. */
  readonly identity: string;
  readonly leaseDurationMs: number;
  readonly clock: Clock;
}

/**
 * A Lease that one of several processes holds. Times in the Lease are for people: clocks differ, so a holder counts as gone when the
 * Lease has not changed for its duration as measured here.
 */
export class LeaseLock {
  readonly #options: LeaseLockOptions;
  #seen: Lease | undefined;
  /** When the Lease was first seen as it is. */
  #seenAt = 0;

  constructor(options: LeaseLockOptions) {
    this.#options = options;
  }

  /** Who held the Lease when it was last looked at. */
  get holder(): string | undefined {
    return this.#seen?.spec?.holderIdentity || undefined;
  }

  /** How long the Lease still belongs to somebody else, unless it is renewed; 0 where it is free. */
  get expiresInMs(): number {
    return this.holder === undefined || this.#isMine() ? 0 : Math.max(0, this.#expiresAt() - this.#options.clock.now());
  }

  /** Whether the Lease is held now. @throws what the API server answers, where that says nothing of the Lease */
  async acquireOrRenew(signal: AbortSignal): Promise<boolean> {
    // What is held is renewed without a look at it: whoever takes it over changes its version.
    if (this.#isMine() && (await this.#write(signal))) return true;
    const { client, key } = this.#options;
    this.#see(await client.get<Lease>(leases, key, signal));
    if (this.holder !== undefined && !this.#isMine() && !this.#isExpired()) return false;
    return await this.#write(signal);
  }

  /** Lets the others have the Lease at once. */
  async release(signal: AbortSignal): Promise<void> {
    const { client, key } = this.#options;
    // A renewal that was cut off may have been done all the same.
    if (this.#isMine()) this.#see(await client.get<Lease>(leases, key, signal));
    if (this.#seen === undefined || !this.#isMine()) return;
    const now = microTime(this.#options.clock.date());
    const spec = { ...this.#seen.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    this.#see(await client.update<Lease>(leases, { ...this.#seen, spec }, signal));
  }

  /** False where somebody else was faster. */
  async #write(signal: AbortSignal): Promise<boolean> {
    const { client, key, clock } = this.#options;
    const spec = this.#held(microTime(clock.date()));
    try {
      const lease =
        this.#seen === undefined
          ? client.create<Lease>(
              leases,
              { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { ...key }, spec },
              signal,
            )
          : client.update<Lease>(leases, { ...this.#seen, spec }, signal);
      this.#see(await lease);
      return true;
    } catch (error) {
      if (codeOf(error) === "KubeConflict" || codeOf(error) === "NotFound") return false;
      throw error;
    }
  }

  #held(now: string): LeaseSpec {
    const before = this.#seen?.spec;
    const own = {
      holderIdentity: this.#options.identity,
      leaseDurationSeconds: Math.ceil(this.#options.leaseDurationMs / 1000),
      renewTime: now,
    };
    if (this.#isMine()) return { ...before, ...own };
    const leaseTransitions = this.#seen === undefined ? 0 : (before?.leaseTransitions ?? 0) + 1;
    return { ...before, ...own, acquireTime: now, leaseTransitions };
  }

  #see(lease: Lease | undefined): void {
    // Labels and the like are not a sign of life.
    if (!isDeepStrictEqual(lease?.spec, this.#seen?.spec)) this.#seenAt = this.#options.clock.now();
    this.#seen = lease;
  }

  #isMine(): boolean {
    return this.holder === this.#options.identity;
  }

  #isExpired(): boolean {
    return this.#options.clock.now() >= this.#expiresAt();
  }

  #expiresAt(): number {
    const seconds = this.#seen?.spec?.leaseDurationSeconds;
    return this.#seenAt + (seconds === undefined ? this.#options.leaseDurationMs : seconds * 1000);
  }
}

/** metav1.MicroTime: RFC 3339 with six digits of the second. */
function microTime(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
