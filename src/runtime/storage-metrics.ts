import { Gauge, type Registry } from "prom-client";

/** Room on the volume that holds the artifacts, in bytes. */
export interface StorageSpace {
  readonly size: number;
  /** What the process may still write. */
  readonly free: number;
}

/** A volume that cannot be asked has no samples. */
export function storageMetrics(registry: Registry, space: () => Promise<StorageSpace>): void {
  const gauge = (name: string, help: string, of: (space: StorageSpace) => number): void => {
    const metric = new Gauge({
      name,
      help,
      registers: [],
      async collect() {
        this.remove();
        const now = await space().catch(() => undefined);
        if (now !== undefined) this.set(of(now));
      },
    });
    registry.registerMetric(metric);
  };
  gauge("strata_storage_size_bytes", "Bytes of the volume that holds the artifacts.", ({ size }) => size);
  gauge("strata_storage_free_bytes", "Bytes of that volume that can still be written.", ({ free }) => free);
}
