import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import type { Digest, Layer, StagedBlob } from "../oci/types.ts";
import { buildArtifact, builtFrom, type BuildContext, type Content } from "../pipeline/build.ts";
import { contentRepository } from "../pipeline/component.ts";
import { imageFormOf } from "../pipeline/image-form.ts";
import { storeOwner, type Identified } from "../pipeline/object.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import type { Scratch } from "../pipeline/ports.ts";
import { recipesFor, type Recipes } from "../pipeline/recipe.ts";
import { selectContent } from "../pipeline/select.ts";
import { selectedStatus } from "../pipeline/selected.ts";
import type { BuildKey, SharedBuild } from "../pipeline/shared-builds.ts";
import { repositoryOf } from "../pipeline/spec.ts";
import type { Selection } from "../select/selection.ts";
import type { Artifact, Known as KnownContent, Made, StoredBlob } from "../store/store.ts";
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

/** A build with its bytes, in the scratch directory or stored for the object already. */
interface Staged {
  readonly build: SharedBuild;
  readonly blob: StagedBlob | StoredBlob;
}

type Context = Omit<BuildContext, "dir">;

interface Making {
  readonly context: Context;
  readonly selection: Selection;
  readonly recipes: Recipes;
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
  #scratch: Promise<Scratch> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** @throws what building and storing throw */
  async takeOrMake(key: BuildKey, from: Upstream, selected: Selection | undefined): Promise<Stored> {
    const { memory, deps } = this.#parts.context;
    const { access } = contentRepository(from);
    try {
      const taken = await deps.builds.take(key, this.#dir);
      if (taken) deps.meter.reused(taken.blob.size);
      const stored = await this.#store(taken ?? (await this.#make(key, this.#contextOf(from), selected)));
      memory.shown(this.#parts.owner.uid, { access, what: stored.build.made.recipe });
      return stored;
    } finally {
      await this.#clear();
    }
  }

  async #clear(): Promise<void> {
    const scratch = await this.#scratch?.catch(() => undefined);
    this.#scratch = undefined;
    await scratch?.remove();
  }

  /** What is stored already needs none. */
  readonly #dir = async (): Promise<string> => {
    this.#scratch ??= this.#parts.context.deps.scratch();
    return (await this.#scratch).dir;
  };

  #contextOf(from: Upstream): Context {
    const { spec } = this.#parts.owner.object;
    const { deps, signal } = this.#parts.context;
    const { repository: repositoryPath } = repositoryOf(spec);
    const onBytes = (_: Layer, bytes: number): void => deps.meter.downloaded(bytes);
    return { ...from, spec, repositoryPath, limits: deps.settings.limits, signal, onBytes };
  }

  async #make(key: BuildKey, context: Context, selected: Selection | undefined): Promise<Staged> {
    const { phases, owner, context: reconcile } = this.#parts;
    const selection =
      selected ??
      (await phases.asking("select", "reading the manifests of", (signal) => selectContent({ ...context, signal })));
    const recipes = recipesFor(context, selection);
    const known = await this.#known({ context, selection, recipes }, key.access);
    const bytes = known ? 0 : selection.layers.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
    const { built, image } = await reconcile.transfer(bytes, () =>
      phases.moving("operate", { bytes, parts: selection.layers.length }, async (signal) => {
        const within = { ...context, signal };
        const made = known
          ? builtFrom(within, selection, known)
          : await buildArtifact({ ...within, dir: await this.#dir() }, selection);
        return { built: made, image: await imageFormOf(within, made) };
      }),
    );
    const { result, revision, metadata } = built;
    const { digest, size, contentDigest } = result.blob;
    const build = {
      owner: storeOwner(owner),
      digest,
      size,
      contentDigest,
      made: madeOf(result, recipes),
      revision,
      metadata,
      selected: selectedStatus(built.selection, result),
      image,
      layer: selection.layers[0]!,
    };
    return { build, blob: result.blob };
  }

  /** What has the same recipe and is stored already: for this object, or with the same access for another. */
  async #known(making: Making, access: BuildKey["access"]): Promise<Content | undefined> {
    const { memory, deps, signal } = this.#parts.context;
    const { uid } = this.#parts.owner;
    const recipes = [...new Set(Object.values(making.recipes))];
    const isIntact = (digest: Digest): boolean => memory.isIntact(uid, digest);
    const owner = storeOwner(this.#parts.owner);
    const own = this.#parts.before.artifact && (await deps.store.known({ owner, uid, recipes, isIntact }, signal));
    if (own) return (await this.#mayRead(making, own.made.recipe)) ? this.#reused(own) : undefined;
    for (const what of recipes) {
      const taken = await deps.builds.takeContent({ access, what }, this.#dir);
      if (taken) return this.#reused({ blob: taken.blob, made: taken.build.made });
    }
    return undefined;
  }

  #reused({ blob, made: { skipped, leftOut, operation } }: KnownContent): Content {
    this.#parts.context.deps.meter.reused(blob.size);
    return { blob, skipped, ...(leftOut && { leftOut }), ...(operation && { operation }) };
  }

  /** Whether the registry shows the object these layers, as it has in this process, or as it says when it is asked. */
  async #mayRead({ context, selection }: Making, recipe: string): Promise<boolean> {
    const { access, offers } = contentRepository(context);
    if (this.#parts.context.memory.isShown(this.#parts.owner.uid, { access, what: recipe })) return true;
    if (offers === undefined) return false;
    const configs = selection.rules?.configs.map(({ config }) => config) ?? [];
    const blobs = new Map([...selection.layers, ...configs].map(({ descriptor }) => [descriptor.digest, descriptor]));
    try {
      return await this.#parts.phases.asking("select", "asking for the layers of", async (signal) => {
        for (const blob of blobs.values()) if (!(await offers(blob, signal))) return false;
        return true;
      });
    } catch (error) {
      if (this.#parts.context.signal.aborted) throw error;
      // The download has the time that the content asks for, and says what is wrong.
      return false;
    }
  }

  /** Makes it the object's artifact, and the build the object's own. */
  async #store({ build, blob }: Staged): Promise<Stored> {
    const { memory, deps, signal } = this.#parts.context;
    const owner = storeOwner(this.#parts.owner);
    const { uid } = this.#parts.owner;
    const { revision, metadata, image, made } = build;
    const keep = announced(this.#parts.before);
    const artifact = await this.#parts.phases.timed("store", () =>
      deps.store.publish({ owner, uid, blob, revision, metadata, image, made, keep }, signal),
    );
    this.#parts.onStored(artifact);
    memory.intact(uid, artifact.digest);
    return { build: { ...build, owner }, artifact };
  }
}

function madeOf({ blob, skipped, leftOut, operation }: Content, recipes: Recipes): Made {
  return {
    recipe: operation === "Copy" ? recipes.copied : recipes.extracted,
    verbatim: blob.verbatim,
    ...(operation === "Copy" && { operation }),
    skipped,
    ...(leftOut && { leftOut }),
  };
}
