import type { Readable } from "node:stream";
import { isTag } from "../oci/reference.ts";
import type { Annotations, Descriptor, Digest, StagedBlob } from "../oci/types.ts";

/** The object an artifact belongs to. */
export interface Owner {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Flux's `meta.Artifact` (github.com/fluxcd/pkg/apis/meta). */
export interface Artifact {
  readonly path: string;
  readonly url: string;
  readonly revision: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** RFC 3339. */
  readonly lastUpdateTime: string;
  readonly metadata?: Annotations;
}

/** How an artifact looks to those who read it as an OCI artifact. */
export interface ImageForm {
  readonly layerMediaType: string;
  /** File name under which `oras pull` writes the layer. */
  readonly layerTitle: string;
  /** Where consumers read the config, as Helm does: the upstream one. Default: Flux's. */
  readonly config?: { readonly mediaType: string; readonly bytes: Uint8Array };
}

/** Content that is stored for its owner already. */
export type StoredBlob = Omit<StagedBlob, "path">;

/** How content came about: kept beside the file, so that the same needs not be made again. */
export interface Made {
  /** Names the layers, the operation and everything else that shapes the content. */
  readonly recipe: string;
  readonly verbatim: boolean;
  /** What was done, where only the first bytes could tell. */
  readonly operation?: "Copy";
  /** Counts of what was left out, by reason. */
  readonly skipped: { readonly symlinks: number; readonly special: number; readonly ignored: number };
  readonly leftOut?: readonly string[];
}

/** What is looked for among the files of an owner. */
export interface KnownRequest {
  readonly owner: Owner;
  /** What was stored for an earlier object of that name does not count. */
  readonly uid: string;
  /** Any of these. */
  readonly recipes: readonly string[];
  /** Whether this process has read the file and found it whole; others are read now. */
  readonly isIntact: (digest: Digest) => boolean;
}

export interface Known {
  readonly made: Made;
  readonly blob: StoredBlob;
}

/** What a publisher needs to know besides the bytes. */
export interface PublishRequest {
  readonly owner: Owner;
  /** The owner's uid, as the API server has made it. */
  readonly uid?: string | undefined;
  /** Staged, or as `known` has just found it. */
  readonly blob: StagedBlob | StoredBlob;
  /** Without it, nothing is known of the content later. */
  readonly made?: Made;
  /** `<tag>@<content digest>`, the latter alone where the reference was a digest (api.md, "The published artifact"). */
  readonly revision: string;
  readonly metadata: Annotations;
  /** Default: Flux's media types, and a title made from the owner's name. */
  readonly image?: Partial<ImageForm>;
  /** Earlier artifacts that consumers are still told of: their files stay, however old they are. */
  readonly keep?: readonly Digest[];
}

/** An OCI manifest with everything it needs but the layer's bytes. */
export interface SingleLayerImage {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
  readonly config: Descriptor;
  readonly configBytes: Buffer;
  readonly layer: Descriptor;
}

/** A stored artifact as an OCI artifact. */
export interface StoredImage {
  readonly image: SingleLayerImage;
  /** Tag of the revision; undefined where the reference was a digest. */
  readonly tag: string | undefined;
  /** Opens the layer from a byte offset; the stream fails where the file has been deleted meanwhile. */
  readonly openLayer: (offset: number) => Readable;
}

/** What is to be brought back into an empty storage, and from where. */
export interface RestoreRequest {
  readonly owner: Owner;
  readonly uid?: string | undefined;
  /** As `status.artifact` has it. */
  readonly artifact: Artifact;
  /** The whole file; checked against the artifact's digest and size. */
  readonly open: () => Promise<Readable>;
  /** What the pushed manifest says, so that the OCI endpoint goes on serving the same one. */
  readonly image: ImageForm & { readonly annotations: Annotations };
}

/** `missing` also where the file is there, but is not what `latest.tar.gz` stands for. A corrupt file has been removed. */
export type StoredVerdict = "ok" | "missing" | "corrupt";

/**
 * The artifacts on disk. There is one writer for an owner at a time; readers may be many, in other processes too.
 * Every method throws StorageFailed for what the file system refuses, and InvalidSpec for an owner that cannot be a path.
 */
export interface ArtifactStore {
  /**
   * Makes the staged file the current artifact of its owner: whole or not at all, whatever happens to this process. The
   * staged file is moved where that is possible. Content that is stored already is kept as it is.
   * @throws DigestMismatch, SizeMismatch where the staged file is not what it should be
   */
  publish(request: PublishRequest, signal: AbortSignal): Promise<Artifact>;
  /** The file that was made by a recipe, where it is there and whole. */
  known(request: KnownRequest, signal: AbortSignal): Promise<Known | undefined>;
  /** Puts a stored file at `to`, to be published for another owner as well; false where it is not there. */
  reuse(owner: Owner, digest: Digest, to: string): Promise<boolean>;
  /** Like `publish`, from a stream. */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<Artifact>;
  /** Reads the file to its end and compares it with what the owner's status says. */
  verify(owner: Owner, artifact: Artifact, signal: AbortSignal): Promise<StoredVerdict>;
  /** Whether the file is still there, in its size; it is not read. */
  has(owner: Owner, artifact: Artifact): Promise<boolean>;
  /** The current artifact, also where its file is gone. */
  current(owner: Owner): Promise<Artifact | undefined>;
  image(owner: Owner): Promise<StoredImage | undefined>;
  /** Deletes superseded files whose time has come. */
  collect(owner: Owner): Promise<void>;
  /** Deletes everything stored for an owner; with a uid only where it was not stored for another object of that name. */
  remove(owner: Owner, uid?: string): Promise<void>;
  /** Deletes what was stored for an earlier object of that name. */
  removeOther(owner: Owner, uid: string): Promise<void>;
  /** Removes what a killed process has left behind. To be called before the first `publish`. */
  sweep(signal: AbortSignal): Promise<void>;
  /** Everybody for whom something is stored. */
  owners(signal: AbortSignal): Promise<StoredOwner[]>;
  /** `http://<advertised address>/<path>` */
  url(path: string): string;
  /** Where the current artifact is always to be found. */
  latestUrl(owner: Owner): string;
}

/** An owner as the storage knows it: the kind in lower case. */
export type StoredOwner = Owner;

/** The tag in a revision; undefined where the reference was a digest, or where it is none a registry would accept. */
export function tagOfRevision(revision: string): string | undefined {
  const at = revision.indexOf("@");
  const tag = revision.slice(0, Math.max(at, 0));
  return isTag(tag) ? tag : undefined;
}
