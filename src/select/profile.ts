import type { Descriptor, ManifestNode } from "../oci/types.ts";
import type { OperationName } from "../operation/operation.ts";

/** Where a layer stands, for names. */
export interface NamePlace {
  readonly node: ManifestNode;
  /** All layers of the manifest. */
  readonly content: readonly Descriptor[];
  readonly tag: string;
  /** The repository's path. */
  readonly repository: string;
}

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
  readonly nameOf?: (layer: Descriptor, place: NamePlace) => string | undefined;
  /** Whether a raw layer is a program; default: none is. */
  readonly isExecutable?: (layer: Descriptor) => boolean;
  /** Each content layer is an archive of one file, which gets the name that `nameOf` gives the layer. */
  readonly holdsOneFile?: true;
  /**
   * Files that the layout's tool makes of the config blob, path to text; they come along where no filter narrows the layers.
   * @throws what is wrong with the config
   */
  readonly filesOf?: (config: Buffer) => Readonly<Record<string, string>>;
}
