import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { Place } from "../component/locate.ts";
import type { FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import { findContent } from "../pipeline/component.ts";
import type { Identified } from "../pipeline/object.ts";
import type { Freshness } from "../pipeline/ports.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import { repositoryOf } from "../pipeline/spec.ts";
import type { Verification } from "../verify/verifier.ts";
import type { Deps } from "./ports.ts";

export interface FindStep {
  readonly owner: Identified;
  readonly repository: Repository;
  readonly resolved: Resolved;
  readonly verification?: Verification | undefined;
  readonly freshness: Freshness;
}

/** The resource that `spec.component` names, with the access of this object; undefined without it. @throws as `findResource` */
export async function findForObject(
  step: FindStep,
  { sources, settings }: Pick<Deps, "sources" | "settings">,
  signal: AbortSignal,
): Promise<FoundResource | undefined> {
  const { owner, repository, resolved, verification, freshness } = step;
  const { spec } = owner.object;
  const { registry, repository: path } = repositoryOf(spec);
  const { namespace } = owner.key;
  return await findContent({
    spec,
    repository,
    place: { registry, repository: path },
    resolved,
    verification,
    open: (place, within) => sources.openBeside(spec, place, { namespace, freshness }, within),
    limits: settings.limits,
    signal,
  });
}

/** What a tag in a component version names may move, though the component version stays what it is. */
export function movedResource(
  { component }: Pick<ArtifactRepositoryStatus, "component">,
  found: FoundResource | undefined,
): string | undefined {
  const digest = found?.descriptor.digest;
  return digest === component?.digest ? undefined : `the resource is now ${digest ?? "none"}`;
}

/** The repository that the content is in, and whether that is the spec's. */
export function contentPlace(
  spec: ArtifactRepositorySpec,
  found: FoundResource | undefined,
): { readonly place: Place; readonly isOwn: boolean } {
  const { registry, repository } = repositoryOf(spec);
  const place = found?.place ?? { registry, repository };
  return { place, isOwn: place.registry === registry && place.repository === repository };
}
