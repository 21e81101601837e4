import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import { KIND } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import type { KubeObject, ObjectKey } from "../kube/client.ts";
import type { Owner } from "../store/store.ts";

/** An ArtifactRepository as it comes from the API server, not yet checked. */
export interface RawObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: ArtifactRepositoryStatus;
}

/** An object with the identity that the API server gave it. */
export interface Identified {
  readonly key: ObjectKey;
  readonly uid: string;
  readonly generation: number;
  readonly object: ArtifactRepository;
}

/** As whom the object's artifact is stored. */
export function storeOwner({ key }: Pick<Identified, "key">): Owner {
  return { kind: KIND, ...key };
}

/** What `spec.publish` asks for; without it, an ExternalArtifact. */
export function publishWanted({ publish }: ArtifactRepositorySpec): NonNullable<ArtifactRepositorySpec["publish"]> {
  return publish ?? { externalArtifact: {} };
}
