import type { Permits } from "../kube/run/permits.ts";
import type { Turn } from "../kube/run/queue.ts";
import type { Transfer } from "../publish/port.ts";

/**
 * How reconciles make room for each other. `concurrent` of them have a worker; one that takes longer than `asideAfterMs`, and
 * one that transfers much, goes on without. No namespace takes more than half of what may be under way, or of the transfers.
 */
export const capacity = Object.freeze({
  asideAfterMs: 1000,
  underWay: (concurrent: number): number => Math.max(8, 4 * concurrent),
  transfers: (concurrent: number) => 2 * Math.max(1, concurrent),
  /**
   * Connections to one host, of each kind: more than everything under way can use, each with the four layers that are read at
   * once, so that nobody waits for a connection that another's slow content holds.
   */
  connections: (concurrent: number): number => 4 * capacity.underWay(concurrent),
  /** What is no larger waits for no other transfer. */
  smallBytes: 4 * 1024 * 1024,
});

/** Gives the worker back before a large transfer, which waits for its turn without one. */
export function inTurn(transfers: Permits, namespace: string, turn: Turn): Transfer {
  return async (bytes, work) => {
    if (bytes <= capacity.smallBytes) return await work();
    turn.stepAside();
    return await transfers.hold(namespace, work, turn.signal);
  };
}
