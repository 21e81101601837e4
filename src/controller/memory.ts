import type { Deps } from "./ports.ts";
import type { BuildKey, RunningBuild } from "../pipeline/shared-builds.ts";
import { StatusMemory } from "./status-writer.ts";
import type { Transfer } from "../publish/port.ts";

/** A failure that the same upstream and the same spec would only repeat. */
interface Stall {
  readonly generation: number;
  readonly upstream: string;
  readonly error: unknown;
}

/** A wait for what is being built for another object. */
interface Wait {
  readonly what: string;
  readonly build: RunningBuild;
  readonly since: number;
}

/** What the reconciler remembers of each object while the process lives, by uid. Nothing that matters is lost with it. */
export class ReconcileMemory {
  readonly statuses = new StatusMemory();
  readonly #intact = new Map<string, string>();
  readonly #stalls = new Map<string, Stall>();
  readonly #waits = new Map<string, Wait>();
  readonly #requests = new Set<string>();
  readonly #shown = new Map<string, BuildKey>();

  /** Whether this process has seen the stored file whole. */
  isIntact(uid: string, digest: string): boolean {
    return this.#intact.get(uid) === digest;
  }

  intact(uid: string, digest: string): void {
    this.#intact.set(uid, digest);
  }

  /** Whether this process has read the layers of a recipe for the object, with that access. */
  isShown(uid: string, { access, what }: BuildKey): boolean {
    const shown = this.#shown.get(uid);
    return access !== undefined && shown?.access === access && shown.what === what;
  }

  shown(uid: string, recipe: BuildKey): void {
    this.#shown.set(uid, recipe);
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

  /** Whether a reconcile that somebody asked for has failed, and is still being tried again. */
  isRequested(uid: string): boolean {
    return this.#requests.has(uid);
  }

  requested(uid: string, isPending: boolean): void {
    if (isPending) this.#requests.add(uid);
    else this.#requests.delete(uid);
  }

  unstall(uid: string): void {
    this.#stalls.delete(uid);
  }

  /**
   * How much longer the object may wait for another's build of `what`, in ms. None where it has waited for one before that
   * left nothing to take: another's failure must not become a chain of waits.
   */
  patience(uid: string, build: RunningBuild, { what, mostMs }: { what: string; mostMs: number }): number {
    const now = performance.now();
    const known = this.#waits.get(uid);
    if (known?.what === what) return known.build === build ? known.since + mostMs - now : 0;
    this.#waits.set(uid, { what, build, since: now });
    return mostMs;
  }

  stopWaiting(uid: string): void {
    this.#waits.delete(uid);
  }

  forget(uid: string): void {
    this.statuses.forget(uid);
    this.stopWaiting(uid);
    this.#intact.delete(uid);
    this.#stalls.delete(uid);
    this.#requests.delete(uid);
    this.#shown.delete(uid);
  }
}

/** What a reconcile works with. */
export interface ReconcileContext {
  readonly memory: ReconcileMemory;
  readonly deps: Deps;
  /** When the reconcile was asked for (performance.now). */
  readonly askedAt: number;
  /** It is the first since the start, and nothing else has asked for it. */
  readonly isFirst?: boolean;
  readonly transfer: Transfer;
  readonly signal: AbortSignal;
}
