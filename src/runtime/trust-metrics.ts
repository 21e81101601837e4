import { Counter, Gauge, type Registry } from "prom-client";

/** What is known of the public Sigstore's trusted root. */
export interface TrustedRootState {
  /** Milliseconds since the epoch; undefined where no refresh has ever worked. */
  readonly refreshedAt: number | undefined;
  /** `found`: on disk, at the start; `slow`: nobody waits any longer, and it goes on. */
  readonly result: "found" | "success" | "failure" | "slow";
}

export function trustMetrics(registry: Registry): { trustedRoot(state: TrustedRootState): void } {
  const registers = [registry];
  const refreshes = new Counter({
    name: "strata_sigstore_root_refreshes_total",
    help: "Refreshes of Sigstore's trusted root by TUF, by result; none while nothing needs it.",
    labelNames: ["result"],
    registers,
  });
  const refreshed = new Gauge({
    name: "strata_sigstore_root_refreshed_timestamp_seconds",
    help: "When Sigstore's trusted root was last refreshed; 0 where it never was.",
    registers,
  });
  for (const result of ["success", "failure"]) refreshes.inc({ result }, 0);
  return {
    trustedRoot: ({ refreshedAt, result }) => {
      if (result === "success" || result === "failure") refreshes.inc({ result });
      refreshed.set((refreshedAt ?? 0) / 1000);
    },
  };
}
