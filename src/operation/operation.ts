import type { ReadAhead } from "../archive/read.ts";
import type { Tree } from "../archive/tree.ts";
import type { Fetcher } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import type { Layer, StagedBlob } from "../oci/types.ts";

export type OperationName = "Copy" | "Extract" | "ExtractAll";
export type LayoutName = "Merge" | "LayerPerDir" | "ManifestPerDir";
export type ConflictPolicy = "Fail" | "Overwrite" | "Keep";
export type SymlinkPolicy = "Skip" | "Follow";

/** How a layout names raw layers. */
export type LayerNames = (
  layer: Layer,
  where: { readonly tag: string; readonly repository: string },
) => string | undefined;

/** What a known layout has besides names. */
export interface LayoutRules {
  readonly isExecutable: (layer: Layer) => boolean;
  /** Whether a layer is an archive of one file, which gets the name of the layer. */
  readonly holdsOneFile: (layer: Layer) => boolean;
  readonly configs: readonly ConfigFiles[];
}

/** A config blob of which the layout's tool makes files. */
export interface ConfigFiles {
  readonly config: Layer;
  /** Path to text. @throws what is wrong with the config */
  readonly filesOf: (config: Buffer) => Readonly<Record<string, string>>;
}

/** How the selected layers become one artifact: the parsed layerSelector and the profile's defaults. */
export interface OperationOptions {
  readonly layout: LayoutName;
  readonly onConflict: ConflictPolicy;
  readonly symlinks: SymlinkPolicy;
  /** Template for names, see api.md "Template variables". */
  readonly filename?: string;
  /** How the known layout names a raw layer; asked where there is no template. */
  readonly nameOf?: LayerNames;
  /** Name of a raw layer without extension; where there is none, the last part of the repository's. */
  readonly stem?: string;
  readonly rules?: LayoutRules;
  /** Extract: a layer that is not an archive, and not meant to be one, is copied. */
  readonly copiesRaw?: boolean;
  /** spec.ignore; undefined means, for Extract, Flux's default exclusions. */
  readonly ignore?: string;
  /** Values of `{tag}` and `{repository}`. */
  readonly tag: string;
  readonly repository: string;
}

export interface OperationIO {
  readonly fetcher: Fetcher;
  /** An empty scratch directory that belongs to this operation; the caller removes it. */
  readonly dir: string;
  readonly limits: Limits;
  readonly signal: AbortSignal;
  /** Called with the number of compressed bytes that have just arrived for a layer. */
  readonly onBytes?: (layer: Layer, bytes: number) => void;
  /** Told of files before it is certain that they are published; only of those that then have this very path. */
  readonly ahead?: ReadAhead;
}

/** Counts of archive entries that were left out, by reason. */
export interface Skipped {
  readonly symlinks: number;
  readonly special: number;
  readonly ignored: number;
}

export const nothingSkipped: Skipped = Object.freeze({ symlinks: 0, special: 0, ignored: 0 });

/** What was left out of the artifact. */
interface Omissions {
  readonly skipped: Skipped;
  /** The first ignored files, each with the pattern that names it; absent where nothing was looked at. */
  readonly leftOut?: readonly string[];
  /** What was done, where only the first bytes could tell. */
  readonly operation?: OperationName;
}

export interface OperationResult extends Omissions {
  readonly blob: StagedBlob;
}

/** Reduces the selected layers, in order, to one StagedBlob. */
export type Operation = (
  layers: readonly Layer[],
  options: OperationOptions,
  io: OperationIO,
) => Promise<OperationResult>;

/** Files that may be published as they are: no links, and only names that consumers can unpack. Their bodies lie in the scratch directory. */
export interface ReadyTree extends Omissions {
  readonly tree: Tree;
}

/** Reduces the selected layers, in order, to files. */
export type TreeOperation = (
  layers: readonly Layer[],
  options: OperationOptions,
  io: OperationIO,
) => Promise<ReadyTree>;
