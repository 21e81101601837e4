import { openStorage, type StorageOptions } from "../store/storage.ts";
import type { ArtifactStore } from "../store/store.ts";

/** What a superseded artifact is kept for: nothing. */
export const keepNothing = { ttlMs: 0, records: 1 };

/** A store on disk, with what a test does not care about filled in. */
export async function openTestStore(root: string, options: Partial<StorageOptions> = {}): Promise<ArtifactStore> {
  return await openStorage({
    root,
    advertisedAddress: "x",
    retention: { ttlMs: 60_000, records: 2 },
    verifyConcurrency: 1,
    ...options,
  });
}
