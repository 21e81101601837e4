import { UPSTREAM_DIGEST_ANNOTATION, UPSTREAM_URL_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { Repository } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import { formatVersion } from "../oci/reference.ts";
import type { Annotations, Layer } from "../oci/types.ts";
import type { OperationName, OperationOptions, OperationResult } from "../operation/operation.ts";
import { operations } from "../operation/table.ts";
import type { StoredBlob } from "../store/store.ts";
import type { Selection } from "../select/selection.ts";
import type { FoundResource } from "../component/resolve.ts";
import { componentMetadata, contentRepository } from "./component.ts";
import type { Resolved } from "./resolve.ts";
import { operationOptions } from "./spec.ts";

/** Metadata ends up in objects that the API server keeps; what is longer than anybody reads is left out. */
const maxAnnotations = 64;
const maxAnnotationLength = 2048;

export interface BuildContext {
  readonly spec: ArtifactRepositorySpec;
  readonly repository: Repository;
  readonly resolved: Resolved;
  /** What `spec.component` names; it is what is selected from. */
  readonly found?: FoundResource | undefined;
  /** `team/app`, for names. */
  readonly repositoryPath: string;
  /** An empty scratch directory. */
  readonly dir: string;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly onBytes?: (layer: Layer, bytes: number) => void;
}

/** What an operation has made, wherever its bytes are. */
export type Content = Omit<OperationResult, "blob"> & { readonly blob: StoredBlob };

/** The artifact, mostly still in the scratch directory, and how it came about. */
export interface Built<R extends Content = OperationResult> {
  readonly selection: Selection;
  readonly result: R;
  readonly revision: string;
  readonly metadata: Annotations;
}

/** What the operation is told besides the layers. */
export function optionsOf(
  { spec, resolved, repositoryPath }: Omit<BuildContext, "dir">,
  selection: Selection,
): OperationOptions {
  return operationOptions(spec, selection, { tag: resolved.tag ?? "", repository: repositoryPath });
}

/** Reduces the selected layers to one artifact. @throws what the operations throw */
export async function buildArtifact(context: BuildContext, selection: Selection): Promise<Built> {
  const { dir, limits, signal, onBytes } = context;
  const result = await operations[operationOf(selection)](selection.layers, optionsOf(context, selection), {
    fetcher: contentRepository(context),
    dir,
    limits,
    signal,
    ...(onBytes && { onBytes }),
  });
  return builtFrom(context, selection, result);
}

/** The artifact of this selection, where its content is there. */
export function builtFrom<R extends Content>(
  context: Omit<BuildContext, "dir">,
  selection: Selection,
  result: R,
): Built<R> {
  return {
    selection: asDone(selection, result.operation),
    result,
    revision: formatVersion({ tag: context.resolved.tag, digest: result.blob.contentDigest }),
    metadata: metadataOf(context, selection),
  };
}

/** Extract finds out what an undecided layer is. */
export function operationOf({ operation, isUndecided }: Selection): OperationName {
  return isUndecided === true ? "Extract" : operation;
}

/** The selection with what was really done. */
export function asDone(selection: Selection, done: OperationName | undefined): Selection {
  return { ...selection, operation: done ?? operationOf(selection) };
}

/** api.md, "The published artifact": the manifest's annotations, and where it came from. */
function metadataOf({ spec, resolved, found }: Omit<BuildContext, "dir">, selection: Selection): Annotations {
  const [node, ...others] = selection.nodes;
  const annotations = node === undefined || others.length > 0 ? {} : node.effectiveAnnotations;
  const kept = Object.entries(annotations).filter(
    ([key, value]) => key.length <= maxAnnotationLength && value.length <= maxAnnotationLength,
  );
  return {
    ...Object.fromEntries(kept.slice(0, maxAnnotations)),
    [UPSTREAM_DIGEST_ANNOTATION]: resolved.root.digest,
    [UPSTREAM_URL_ANNOTATION]: spec.url,
    ...(found && componentMetadata(found)),
  };
}
