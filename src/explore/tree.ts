import { titleKey } from "../oci/annotations.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Annotations, Descriptor, Digest, Index, Layer, Manifest, ManifestNode } from "../oci/types.ts";
import { nodeOf } from "../oci/walk.ts";
import { profileOf } from "../select/known-layout.ts";
import { isEntered, type Graph, type Unread } from "./graph.ts";
import { meaningOf, type Referrer } from "./referrers.ts";

/** A position in the tree of an artifact; absent fields are left out. Sizes are bytes. */
interface Position {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly platform?: string;
  /** The annotations of the manifest or index itself, overlaid by its descriptor's. */
  readonly annotations?: Annotations;
}

export interface ReferrerEntry {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string;
  /** `Sigstore bundle`, `SBOM (SPDX)`, …, where its type or tag tells. */
  readonly meaning?: string;
  /** The tag of cosign's older way. */
  readonly tag?: string;
  readonly annotations?: Annotations;
}

export interface LayerEntry {
  readonly offset: number;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly title?: string;
  readonly annotations?: Annotations;
  /** Whether it is taken without any selector. */
  readonly selected: boolean;
}

export interface IndexEntry extends Position {
  readonly kind: "index";
  readonly artifactType?: string;
  readonly manifests: readonly TreeEntry[];
  readonly referrers: readonly ReferrerEntry[];
}

export interface ManifestEntry extends Position {
  readonly kind: "manifest";
  /** The effective type: the descriptor's artifactType, else the manifest's, else the config's media type. */
  readonly artifactType: string;
  /** Name of the known layout. */
  readonly layout?: string;
  readonly config: {
    readonly digest: Digest;
    readonly mediaType: string;
    readonly size: number;
    readonly selected: boolean;
  };
  readonly layers: readonly LayerEntry[];
  readonly referrers: readonly ReferrerEntry[];
  /** What it is itself about, such as the image that it signs. */
  readonly subject?: Digest;
  readonly selected: boolean;
}

export interface OtherEntry extends Position {
  /** `repeated`: shown where it stands first. `unread`: see `problem`. `foreign`: neither manifest nor index. */
  readonly kind: "repeated" | "unread" | "foreign";
  readonly artifactType?: string;
  readonly problem?: { readonly code: string; readonly message: string };
}

export type TreeEntry = IndexEntry | ManifestEntry | OtherEntry;

export interface TreeParts {
  readonly graph: Graph;
  readonly referrers: ReadonlyMap<Digest, readonly Referrer[]>;
  /** Layers that are taken without any selector. */
  readonly layers: readonly Layer[];
}

/** The artifact as one nested value, in index order; a digest that stands in several places is shown in the first. */
export function treeOf(root: Descriptor, parts: TreeParts): TreeEntry {
  return entryOf(root, { ...parts, shown: new Set(), path: [] });
}

/** Every manifest in walk order, as a selection sees it. */
export function manifestNodes(root: Descriptor, graph: Graph): ManifestNode[] {
  const nodes: ManifestNode[] = [];
  const seen = new Set<Digest>();
  const visit = (descriptor: Descriptor, path: readonly Digest[]): void => {
    const body = graph.get(descriptor.digest);
    if (body === undefined || body.kind === "unread" || seen.has(descriptor.digest)) return;
    seen.add(descriptor.digest);
    if (body.kind === "manifest") nodes.push(nodeOf(descriptor, body, path));
    else for (const child of body.manifests) if (isEntered(child)) visit(child, [...path, descriptor.digest]);
  };
  visit(root, []);
  return nodes;
}

interface Drawing extends TreeParts {
  readonly shown: Set<Digest>;
  readonly path: readonly Digest[];
}

function entryOf(descriptor: Descriptor, drawing: Drawing): TreeEntry {
  const { graph, shown } = drawing;
  const body = graph.get(descriptor.digest);
  if (!isEntered(descriptor) || body === undefined) return { kind: "foreign", ...other(descriptor) };
  if (shown.has(descriptor.digest)) return { kind: "repeated", ...other(descriptor) };
  shown.add(descriptor.digest);
  if (body.kind === "unread") return unreadOf(descriptor, body);
  return body.kind === "index" ? indexOf(descriptor, body, drawing) : manifestOf(descriptor, body, drawing);
}

function unreadOf(descriptor: Descriptor, { code, message }: Unread): OtherEntry {
  return { kind: "unread", ...other(descriptor), problem: { code, message } };
}

function indexOf(descriptor: Descriptor, index: Index, drawing: Drawing): IndexEntry {
  const below = { ...drawing, path: [...drawing.path, descriptor.digest] };
  const artifactType = descriptor.artifactType ?? index.artifactType;
  return {
    kind: "index",
    ...position(descriptor, { ...index.annotations, ...descriptor.annotations }),
    ...(artifactType !== undefined && { artifactType }),
    manifests: index.manifests.map((child) => entryOf(child, below)),
    referrers: referrersOf(descriptor, drawing),
  };
}

function manifestOf(descriptor: Descriptor, manifest: Manifest, drawing: Drawing): ManifestEntry {
  const node = nodeOf(descriptor, manifest, drawing.path);
  const layout = profileOf(node)?.name;
  const taken = new Set(
    drawing.layers.filter((layer) => layer.node.descriptor.digest === descriptor.digest).map(({ ordinal }) => ordinal),
  );
  const { digest, mediaType, size } = manifest.config;
  return {
    kind: "manifest",
    ...position(descriptor, node.effectiveAnnotations),
    artifactType: node.effectiveType,
    ...(layout !== undefined && { layout }),
    config: { digest, mediaType, size, selected: taken.has(-1) },
    layers: manifest.layers.map((layer, offset) => layerOf(layer, offset, taken.has(offset))),
    referrers: referrersOf(descriptor, drawing),
    ...(manifest.subject && { subject: manifest.subject.digest }),
    selected: taken.size > 0,
  };
}

function layerOf({ digest, mediaType, size, annotations }: Descriptor, offset: number, selected: boolean): LayerEntry {
  const title = annotations?.[titleKey];
  return {
    offset,
    digest,
    mediaType,
    size,
    ...(title !== undefined && { title }),
    ...(annotations && { annotations }),
    selected,
  };
}

function referrersOf({ digest }: Descriptor, { referrers }: Drawing): ReferrerEntry[] {
  return (referrers.get(digest) ?? []).map(referrerOf);
}

function referrerOf(referrer: Referrer): ReferrerEntry {
  const { digest, mediaType, size, artifactType, annotations } = referrer.descriptor;
  const meaning = meaningOf(referrer);
  return {
    digest,
    mediaType,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(meaning !== undefined && { meaning }),
    ...(referrer.tag !== undefined && { tag: referrer.tag }),
    ...(annotations && { annotations }),
  };
}

function other(descriptor: Descriptor): Omit<OtherEntry, "kind"> {
  const { artifactType, annotations } = descriptor;
  return { ...position(descriptor, annotations ?? {}), ...(artifactType !== undefined && { artifactType }) };
}

function position({ digest, mediaType, size, platform }: Descriptor, annotations: Annotations): Position {
  return {
    digest,
    mediaType,
    size,
    ...(platform && { platform: formatPlatform(platform) }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}
