import { LRUCache } from "lru-cache";
import { join } from "node:path";
import type { SelectedStatus } from "../../api/v1beta1/status.ts";
import type { Annotations, Digest, Layer } from "../oci/types.ts";
import type { ArtifactStore, ImageForm, Owner } from "../store/store.ts";
import type { OperationResult } from "../operation/operation.ts";

/** An artifact that was built and stored for one object, and is what others would build as well. */
export interface SharedBuild {
  /** Whose stored file it is. */
  readonly owner: Owner;
  readonly digest: Digest;
  readonly size: number;
  readonly contentDigest: Digest;
  readonly verbatim: boolean;
  readonly revision: string;
  readonly metadata: Annotations;
  readonly selected: SelectedStatus;
  readonly image: Partial<ImageForm>;
  readonly layer: Layer;
}

/**
 * Lets objects that ask for the same thing share one download: whoever comes while it is being built waits, whoever comes later takes
 * the stored file. Nobody gets what they could not read: each has resolved the reference with credentials of its own.
 */
export class SharedBuilds {
  readonly #store: ArtifactStore;
  readonly #known: LRUCache<string, SharedBuild>;
  readonly #running = new Map<string, Promise<void>>();

  constructor(store: ArtifactStore, maxEntries: number) {
    this.#store = store;
    this.#known = new LRUCache({ max: maxEntries });
  }

  /** What was built before under this key, with its file as `artifact.tar.gz` in `dir`; undefined where it is to be built. */
  async take(
    key: string,
    dir: string,
  ): Promise<{ readonly build: SharedBuild; readonly blob: OperationResult["blob"] } | undefined> {
    const build = this.#known.get(key);
    if (build === undefined) return undefined;
    const path = join(dir, "artifact.tar.gz");
    if (!(await this.#store.reuse(build.owner, build.digest, path))) {
      this.#known.delete(key);
      return undefined;
    }
    const { digest, size, contentDigest, verbatim } = build;
    return { build, blob: { path, digest, size, contentDigest, verbatim } };
  }

  /** Runs `work` for one at a time of those with the same key, so that the second finds what the first has built. */
  async oneAtATime<T>(key: string, work: () => Promise<T>): Promise<T> {
    for (let running = this.#running.get(key); running !== undefined; running = this.#running.get(key)) await running;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(key, promise);
    try {
      return await work();
    } finally {
      this.#running.delete(key);
      resolve();
    }
  }

  remember(key: string, build: SharedBuild): void {
    this.#known.set(key, build);
  }
}
