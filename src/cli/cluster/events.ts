import { codeOf } from "../../errors.ts";
import { eventResource, type KubeEvent } from "../../kube/report/events.ts";
import type { Cluster, ClusterObject } from "./session.ts";

const maxEvents = 20;

/** The latest events of an object, oldest first; undefined where they may not be read. */
export async function eventsOf(
  { client, namespace }: Cluster,
  { metadata }: ClusterObject,
  signal: AbortSignal,
): Promise<readonly KubeEvent[] | undefined> {
  try {
    const { items } = await client.list<KubeEvent>(eventResource, { namespace }, signal);
    const own = items.filter(({ involvedObject }) => involvedObject.uid === metadata.uid);
    return own.toSorted((a, b) => timeOf(a) - timeOf(b)).slice(-maxEvents);
  } catch (error) {
    if (codeOf(error) === "AccessDenied") return undefined;
    throw error;
  }
}

function timeOf({ lastTimestamp }: KubeEvent): number {
  return Date.parse(lastTimestamp) || 0;
}
