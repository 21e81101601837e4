import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { publishWanted } from "../pipeline/object.ts";
import type { Published, Publishers, PublishStep, Target } from "../publish/port.ts";

/** The registry comes first: an OCIRepository must not point at what is not there yet. */
export const publishOrder = ["oci", "externalArtifact", "ociRepository"] as const satisfies readonly Target[];

/** What the status lists first: where consumers look. */
const rowOrder: readonly PublishedStatus["kind"][] = ["ExternalArtifact", "OCIRepository", "OCIArtifact"];

/**
 * Makes the stored artifact known wherever `spec.publish` says, and takes back what it says no more.
 *
 * @throws PublishFailed, NotOwned, CrdMissing, InvalidTemplate, Kube…, Secret…
 */
export async function publishEverywhere(
  step: PublishStep,
  publishers: Publishers,
  signal: AbortSignal,
): Promise<Published> {
  const wanted = publishWanted(step.owner.object.spec);
  const done: Published[] = [];
  for (const target of publishOrder) {
    const publisher = publishers[target];
    if (wanted[target] !== undefined) done.push(await publisher.publish(step, signal));
    else if (step.previous.some(({ kind }) => kind === publisher.kind))
      await publisher.withdraw({ ...step.owner, previous: step.previous }, signal);
  }
  const rows = done.flatMap(({ rows }) => rows);
  const place = ({ kind }: PublishedStatus): number => rowOrder.indexOf(kind);
  return {
    rows: rows.toSorted((a, b) => place(a) - place(b)),
    note: done.map(({ note }) => note).find((note) => note !== undefined),
  };
}
