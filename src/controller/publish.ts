import type { PublishedStatus } from "../../api/v1beta1/status.ts";
import { publishWanted } from "../pipeline/object.ts";
import type { Published, Publisher, Publishers, PublishStep, Target } from "../publish/port.ts";

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
  for (const [target, publisher] of Object.entries(publishers) as [Target, Publisher][]) {
    if (wanted[target] !== undefined) done.push(await publisher.publish(step, signal));
    else if (step.previous.some(({ kind }) => kind === publisher.kind))
      await publisher.withdraw({ ...step.owner, previous: step.previous }, signal);
  }
  // What was pushed comes last: it may be many rows.
  const isPushed = ({ kind }: PublishedStatus): number => Number(kind === "OCIArtifact");
  return {
    rows: done.flatMap(({ rows }) => rows).toSorted((a, b) => isPushed(a) - isPushed(b)),
    note: done.map(({ note }) => note).find((note) => note !== undefined),
  };
}
