import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { Condition, PublishedStatus } from "../../api/v1beta1/status.ts";
import type { Artifact } from "../store/store.ts";
import type { Identified, Publishers, PushedLayer, Transfer } from "./ports.ts";

/** What is to be made known, and where it was made known before. */
export interface PublishStep {
  readonly owner: Identified;
  readonly artifact: Artifact;
  readonly sourceVerified: Condition | undefined;
  readonly previous: readonly PublishedStatus[];
  readonly layer: PushedLayer | undefined;
  readonly transfer: Transfer;
}

export interface Published {
  readonly rows: readonly PublishedStatus[];
  readonly note: string | undefined;
}

/**
 * Makes the stored artifact known wherever `spec.publish` says, and takes back what it says no more. The registry comes
 * first: an OCIRepository must not point at what is not there yet.
 *
 * @throws PublishFailed, NotOwned, CrdMissing, InvalidTemplate, Kube…, Secret…
 */
export async function publishEverywhere(
  step: PublishStep,
  publishers: Publishers,
  signal: AbortSignal,
): Promise<Published> {
  const { owner, artifact, previous, layer, transfer } = step;
  const publish = wanted(owner.object.spec);
  const rows: PublishedStatus[] = [];
  const pushed =
    publish.oci &&
    (await publishers.oci.push({ owner, target: publish.oci, artifact, previous, layer, transfer }, signal));
  const announcement = { owner, artifact, sourceVerified: step.sourceVerified };
  if (publish.externalArtifact) rows.push(await publishers.externalArtifact.publish(announcement, signal));
  else if (previous.some(({ kind }) => kind === "ExternalArtifact"))
    await publishers.externalArtifact.withdraw(owner, signal);
  if (publish.ociRepository) rows.push(await publishers.ociRepository.publish(announcement, signal));
  else if (previous.some(({ kind }) => kind === "OCIRepository"))
    await publishers.ociRepository.withdraw(owner, signal);
  return { rows: [...rows, ...(pushed?.rows ?? [])], note: pushed?.note };
}

/** What `spec.publish` asks for; without it, an ExternalArtifact. */
export function wanted({ publish }: ArtifactRepositorySpec): NonNullable<ArtifactRepositorySpec["publish"]> {
  return publish ?? { externalArtifact: {} };
}
