import { join } from "node:path";
import type { SelectedStatus } from "../../api/v1beta1/status.ts";
import type { Annotations, Digest, Layer, StagedBlob } from "../oci/types.ts";
import type { AccessKey } from "../sharing/access-key.ts";
import { entryKey, SharedCache } from "../sharing/shared-cache.ts";
import type { ArtifactStore, ImageForm, Made, Owner } from "../store/store.ts";

/** An artifact that was built and stored for one object, and is what others would build as well. */
export interface SharedBuild {
  /** Whose stored file it is. */
  readonly owner: Owner;
  readonly digest: Digest;
  readonly size: number;
  readonly contentDigest: Digest;
  readonly made: Made;
  readonly revision: string;
  readonly metadata: Annotations;
  readonly selected: SelectedStatus;
  readonly image: Partial<ImageForm>;
  readonly layer: Layer;
}

/** What is to be built, and who may share it. */
export interface BuildKey {
  /**
   * The access that resolved the reference. Whoever has another one has been shown neither the manifests nor the layers,
   * whatever digest a registry or a proxy has named to it. Undefined: nothing is shared.
   */
  readonly access: AccessKey | undefined;
  /** Digest, tag, and everything in the spec that decides what they become. */
  readonly what: string;
}

/** A build under way: resolves when it has ended, well or badly. */
export type RunningBuild = Promise<void>;

/** A build whose file lies in a scratch directory now. */
interface Taken {
  readonly build: SharedBuild;
  readonly blob: StagedBlob;
}

/** Made only where there is something to be put into it. */
type MakeDirectory = () => Promise<string>;

/** Lets objects that ask for the same thing, with the same access, share one download: whoever comes later takes the stored file. */
export class SharedBuilds {
  readonly #store: ArtifactStore;
  readonly #known: SharedCache<SharedBuild>;
  readonly #contents: SharedCache<SharedBuild>;
  readonly #running = new Map<string, RunningBuild>();

  constructor(store: ArtifactStore, maxEntries: number) {
    this.#store = store;
    this.#known = new SharedCache({ max: maxEntries });
    this.#contents = new SharedCache({ max: maxEntries });
  }

  /** What was built before, with its file as `artifact.tar.gz` in what `dir` makes; undefined where it is to be built. */
  async take({ access, what }: BuildKey, dir: MakeDirectory): Promise<Taken | undefined> {
    return access && (await this.#taken(this.#known, { access, what }, dir));
  }

  /** The same for content that was made by the same recipe, of whatever version. */
  async takeContent({ access, what }: BuildKey, dir: MakeDirectory): Promise<Taken | undefined> {
    return access && (await this.#taken(this.#contents, { access, what }, dir));
  }

  async #taken(
    builds: SharedCache<SharedBuild>,
    { access, what }: { readonly access: AccessKey; readonly what: string },
    dir: MakeDirectory,
  ): Promise<Taken | undefined> {
    const build = builds.get(access, what);
    if (!build) return undefined;
    const path = join(await dir(), "artifact.tar.gz");
    if (!(await this.#store.reuse(build.owner, build.digest, path))) {
      builds.deleteOnly(access, what, build);
      return undefined;
    }
    const { digest, size, contentDigest, made } = build;
    return { build, blob: { path, digest, size, contentDigest, verbatim: made.verbatim } };
  }

  /** The same build that another is at, with the same access. It is not to be waited for in here: that would hold a worker. */
  running({ access, what }: BuildKey): RunningBuild | undefined {
    return access && this.#running.get(entryKey(access, what));
  }

  /** Runs `work` and remembers what it has built. Others who come meanwhile see that it is running. */
  async run<T extends { readonly build: SharedBuild }>(buildKey: BuildKey, work: () => Promise<T>): Promise<T> {
    const { access, what } = buildKey;
    if (access === undefined) return await work();
    const key = entryKey(access, what);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#running.set(key, promise);
    try {
      const made = await work();
      this.#known.set(access, what, made.build);
      this.#contents.set(access, made.build.made.recipe, made.build);
      return made;
    } finally {
      if (this.#running.get(key) === promise) this.#running.delete(key);
      resolve();
    }
  }
}
