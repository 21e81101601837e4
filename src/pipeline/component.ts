import { COMPONENT_ANNOTATION, RESOURCE_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { ComponentStatus } from "../../api/v1beta1/status.ts";
import type { Element } from "../component/descriptor.ts";
import type { Coverage, OpenRepository, Place } from "../component/locate.ts";
import { findResource, nameOf, type FoundResource } from "../component/resolve.ts";
import type { Repository } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import type { Annotations } from "../oci/types.ts";
import type { Verification } from "../verify/verifier.ts";
import type { Resolved } from "./resolve.ts";

export interface ComponentStep {
  readonly spec: ArtifactRepositorySpec;
  readonly repository: Repository;
  /** Undefined for a layout on disk. */
  readonly place: Place | undefined;
  readonly resolved: Resolved;
  readonly verification: Verification | undefined;
  readonly open: OpenRepository;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** The resource that `spec.component` names; undefined without it. @throws as `findResource` */
export async function findContent(step: ComponentStep): Promise<FoundResource | undefined> {
  const { spec, resolved, verification, ...context } = step;
  if (spec.component === undefined) return undefined;
  return await findResource({
    ...context,
    root: resolved.root,
    tag: resolved.tag,
    selector: spec.component,
    coverage: coverageOf(verification),
  });
}

/** What a good signature vouches for. One that a policy ignores vouches for nothing. */
function coverageOf(verification: Verification | undefined): Coverage {
  if (verification?.result !== "verified") return undefined;
  return verification.provider === "ocm" ? "descriptor" : "bytes";
}

/** Where layers are read from. */
export function contentRepository(from: {
  readonly repository: Repository;
  readonly found?: FoundResource | undefined;
}): Repository {
  return from.found?.repository ?? from.repository;
}

/** As `status.component` has it. */
export function componentStatus({ root, path, resource, descriptor }: FoundResource): ComponentStatus {
  return {
    name: root.descriptor.name,
    version: root.descriptor.version,
    ...(path.length > 0 && {
      path: path.map((reference) => Object.assign(identityOf(reference), { componentName: reference.componentName })),
    }),
    resource: { ...identityOf(resource), ...(resource.type !== "" && { type: resource.type }) },
    digest: descriptor.digest,
  };
}

/** As the artifact's metadata has it: the component version that has the resource, and the resource's identity. */
export function componentMetadata({ holder, resource }: FoundResource): Annotations {
  const { name, version, extraIdentity } = resource;
  return {
    [COMPONENT_ANNOTATION]: nameOf(holder),
    [RESOURCE_ANNOTATION]: JSON.stringify({ ...extraIdentity, name, ...(version !== "" && { version }) }),
  };
}

interface IdentityStatus {
  name: string;
  version?: string;
  extraIdentity?: Record<string, string>;
}

function identityOf({ name, version, extraIdentity }: Element): IdentityStatus {
  return {
    name,
    ...(version !== "" && { version }),
    ...(Object.keys(extraIdentity).length > 0 && { extraIdentity }),
  };
}
