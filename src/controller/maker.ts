import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import type { StagedBlob } from "../oci/types.ts";
import { buildArtifact, type BuildContext } from "../pipeline/build.ts";
import { imageFormOf } from "../pipeline/image-form.ts";
import { storeOwner, type Identified } from "../pipeline/object.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import { selectContent } from "../pipeline/select.ts";
import { selectedStatus } from "../pipeline/selected.ts";
import type { BuildKey, SharedBuild } from "../pipeline/shared-builds.ts";
import { repositoryOf } from "../pipeline/spec.ts";
import type { Selection } from "../select/selection.ts";
import type { Artifact } from "../store/store.ts";
import type { ReconcileContext } from "./memory.ts";
import type { Phases } from "./phases.ts";
import { announced } from "./stored.ts";

/** Where a build takes its content from. */
export interface Upstream {
  readonly repository: Repository;
  readonly resolved: Resolved;
  /** What `spec.component` names. */
  readonly found: FoundResource | undefined;
}

export interface Stored {
  readonly build: SharedBuild;
  readonly artifact: Artifact;
}

interface Parts {
  readonly owner: Identified;
  readonly before: ArtifactRepositoryStatus;
  readonly context: ReconcileContext;
  readonly phases: Phases;
  readonly onStored: (artifact: Artifact) => void;
}

/** Builds and stores what one reconcile has found to be needed. */
export class Maker {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws what building and storing throw */
  async takeOrMake(key: BuildKey, from: Upstream, known: Selection | undefined): Promise<Stored> {
    const { spec } = this.#parts.owner.object;
    const { deps, signal } = this.#parts.context;
    const { meter, settings } = deps;
    const scratch = await deps.scratch();
    try {
      const taken = await deps.builds.take(key, scratch.dir);
      if (taken) {
        meter.reused(taken.blob.size);
        return await this.#store(taken.build, taken.blob);
      }
      const { repository: repositoryPath } = repositoryOf(spec);
      const common = { ...from, spec, repositoryPath, limits: settings.limits, signal };
      const made = await this.#make(
        { ...common, dir: scratch.dir, onBytes: (_, bytes) => meter.downloaded(bytes) },
        known,
      );
      return await this.#store(made.build, made.blob);
    } finally {
      await scratch.remove();
    }
  }

  async #make(context: BuildContext, known: Selection | undefined): Promise<{ build: SharedBuild; blob: StagedBlob }> {
    const selection =
      known ??
      (await this.#parts.phases.asking("select", "reading the manifests of", (signal) =>
        selectContent({ ...context, signal }),
      ));
    const bytes = selection.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const size = { bytes, parts: selection.layers.length };
    const { built, image } = await this.#parts.context.transfer(bytes, () =>
      this.#parts.phases.moving("operate", size, async (signal) => {
        const made = await buildArtifact({ ...context, signal }, selection);
        return { built: made, image: await imageFormOf({ ...context, signal }, made) };
      }),
    );
    const { result, revision, metadata } = built;
    const { path: _, ...content } = result.blob;
    const build = {
      owner: storeOwner(this.#parts.owner),
      ...content,
      revision,
      metadata,
      selected: selectedStatus(built.selection, result),
      image,
      layer: selection.layers[0]!,
    };
    return { build, blob: result.blob };
  }

  /** Makes it the object's artifact, and the build the object's own. */
  async #store(build: SharedBuild, blob: StagedBlob): Promise<Stored> {
    const { memory, deps, signal } = this.#parts.context;
    const owner = storeOwner(this.#parts.owner);
    const { revision, metadata, image } = build;
    const artifact = await this.#parts.phases.timed("store", () =>
      deps.store.publish(
        { owner, uid: this.#parts.owner.uid, blob, revision, metadata, image, keep: announced(this.#parts.before) },
        signal,
      ),
    );
    this.#parts.onStored(artifact);
    memory.intact(this.#parts.owner.uid, artifact.digest);
    return { build: { ...build, owner }, artifact };
  }
}
