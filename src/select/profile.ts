import type { Descriptor, ManifestNode } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";

/** A layout that is known: what its content is and what is usually done with it. */
export interface Profile {
  /** As status.selected.profile has it. */
  readonly name: string;
  readonly matches: (node: ManifestNode) => boolean;
  /** Which layers are content; default: all that hold something. */
  readonly isContent?: (layer: Descriptor) => boolean;
  /** Its content is the config blob; its manifests have no layers. */
  readonly takesConfig?: boolean;
  /** What is done with the content. Extract and Copy take one layer: several are an error, as in an unknown layout. */
  readonly operation: OperationName;
  /** Name of a raw layer, where it is not the title; equal names within a manifest are told apart by `namesOf`. */
  readonly nameOf?: (layer: Descriptor, content: readonly Descriptor[]) => string | undefined;
}
