import type { Deps } from "./ports.ts";
import { StatusMemory } from "./status-writer.ts";

/** A failure that the same upstream and the same spec would only repeat. */
interface Stall {
  readonly generation: number;
  readonly upstream: string;
  readonly error: unknown;
}

/** What the reconciler remembers of each object while the process lives, by uid. Nothing that matters is lost with it. */
export class ReconcileMemory {
  readonly statuses = new StatusMemory();
  readonly #intact = new Map<string, string>();
  readonly #stalls = new Map<string, Stall>();

  /** Whether this process has seen the stored file whole. */
  isIntact(uid: string, digest: string): boolean {
    return this.#intact.get(uid) === digest;
  }

  intact(uid: string, digest: string): void {
    this.#intact.set(uid, digest);
  }

  /** The error that building the same thing ended with. */
  stalled(uid: string, generation: number, upstream: string): unknown {
    const stall = this.#stalls.get(uid);
    return stall?.generation === generation && stall.upstream === upstream ? stall.error : undefined;
  }

  /** Whether building anything from this spec has failed in such a way. */
  hasStalled(uid: string, generation: number): boolean {
    return this.#stalls.get(uid)?.generation === generation;
  }

  stall(uid: string, stall: Stall): void {
    this.#stalls.set(uid, stall);
  }

  unstall(uid: string): void {
    this.#stalls.delete(uid);
  }

  forget(uid: string): void {
    this.statuses.forget(uid);
    this.#intact.delete(uid);
    this.#stalls.delete(uid);
  }
}

/** What a reconcile works with. */
export interface ReconcileContext {
  readonly memory: ReconcileMemory;
  readonly deps: Deps;
  /** When the reconcile was asked for (performance.now). */
  readonly askedAt: number;
  readonly signal: AbortSignal;
}
