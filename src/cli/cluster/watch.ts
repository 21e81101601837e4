import { artifactRepositories } from "../../../api/kinds.ts";
import { informerDefaults } from "../../config.ts";
import type { CodedError } from "../../errors.ts";
import type { ListOptions } from "../../kube/client.ts";
import { startInformer } from "../../kube/run/informer.ts";
import { message } from "../../text/printable.ts";
import type { CommandIO } from "../command.ts";
import type { Cluster, ClusterObject } from "./session.ts";

/** Tells of every change after `known` until the command is stopped. An API server that is away is asked again. */
export async function watchObjects(
  { client }: Cluster,
  { where, known }: { readonly where: ListOptions; readonly known: readonly ClusterObject[] },
  { stderr, signal }: CommandIO,
  onChange: (object: ClusterObject, isGone: boolean) => void,
): Promise<void> {
  const seen = new Map(known.map(({ metadata }) => [metadata.uid, metadata.resourceVersion]));
  let said = "";
  const informer = startInformer<ClusterObject>(
    client,
    artifactRepositories,
    {
      ...informerDefaults,
      ...where,
      onChange: (kind, object) => {
        const { uid, resourceVersion } = object.metadata;
        if (kind !== "deleted" && seen.get(uid) === resourceVersion) return;
        seen.delete(uid);
        onChange(object, kind === "deleted");
      },
      onError: (error: CodedError) => {
        const text = message(error.message, 1024);
        if (text !== said) stderr.write(`trying again: ${text}\n`);
        said = text;
      },
    },
    signal,
  );
  await informer.stopped;
}
