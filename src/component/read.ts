import { CodedError } from "../errors.ts";
import type { Fetcher } from "../oci/content.ts";
import { fetchAll, fetchManifest } from "../oci/fetch-all.ts";
import type { Limits } from "../oci/limits.ts";
import { isManifestType } from "../oci/media-types.ts";
import type { Annotations, Descriptor, Index, Manifest, ManifestNode } from "../oci/types.ts";
import { nodeOf } from "../oci/walk.ts";
import { parseDescriptor, type ComponentDescriptor } from "./descriptor.ts";
import { isDescriptorType, maxDescriptorBytes } from "./encoding.ts";

const descriptorArtifactType = "application/vnd.ocm.software.component-descriptor.v2";
const mark = "software.ocm.descriptor";

/** A component version as it lies in a repository. */
export interface ComponentVersion {
  readonly descriptor: ComponentDescriptor;
  /** What the tag or digest names: the manifest below, or an index around it. */
  readonly root: Descriptor;
  /** The manifest whose layer the descriptor is. */
  readonly node: ManifestNode;
  /** The size of the descriptor. */
  readonly bytes: number;
  /** What a local blob may be: layers beside the descriptor, manifests and indexes beside its manifest. */
  readonly blobs: readonly Descriptor[];
}

export interface ReadOptions {
  readonly limits: Pick<Limits, "maxManifestBytes">;
  readonly signal: AbortSignal;
}

/**
 * Whether a manifest or index looks like a component version, without reading more of it.
 */
export function looksLikeComponent(body: Manifest | Index): boolean {
  if (body.kind === "manifest") return body.layers.some(({ mediaType }) => isDescriptorType(mediaType));
  return body.manifests.some(isMarked) || body.manifests[0]?.artifactType === descriptorArtifactType;
}

/**
 * Reads the manifest or index, and the descriptor in it (ocm-spec, storage backend OCI, "Descriptor Selection Logic").
 *
 * @param fetcher its repository
 * @throws ComponentInvalid, ManifestInvalid, ManifestTooLarge, what the fetcher throws, the reason of `signal`
 */
export async function readComponent(
  fetcher: Fetcher & { readonly name: string },
  root: Descriptor,
  { limits, signal }: ReadOptions,
): Promise<ComponentVersion> {
  const name = `${fetcher.name}@${root.digest}`;
  const body = await fetchManifest(fetcher, root, limits, signal);
  if (body.kind === "manifest")
    return await fromManifest(fetcher, { root, name, node: nodeOf(root, body, []) }, { limits, signal });
  const child = descriptorManifest(body, name);
  const manifest = await fetchManifest(fetcher, child, limits, signal);
  if (manifest.kind === "index") throw noComponent(name);
  const node = nodeOf(child, manifest, [root.digest]);
  const version = await fromManifest(fetcher, { root, name, node }, { limits, signal });
  return { ...version, blobs: [...body.manifests.filter((other) => other !== child), ...version.blobs] };
}

async function fromManifest(
  fetcher: Fetcher,
  { root, name, node }: { root: Descriptor; name: string; node: ManifestNode },
  { limits, signal }: ReadOptions,
): Promise<ComponentVersion> {
  const [layer, ...others] = node.manifest.layers.filter(({ mediaType }) => isDescriptorType(mediaType));
  if (layer === undefined) throw noComponent(name);
  if (others.length > 0)
    throw new CodedError("ComponentInvalid", `${name} has ${others.length + 1} component descriptors, not one`);
  const bytes = await fetchAll(fetcher, layer, Math.min(limits.maxManifestBytes, maxDescriptorBytes), signal);
  return {
    descriptor: parseDescriptor(bytes, layer.mediaType, name),
    root,
    node,
    bytes: bytes.length,
    blobs: node.manifest.layers.filter((other) => other !== layer),
  };
}

/** The marked manifest, else the first, which is where writers put it. */
function descriptorManifest({ manifests }: Index, name: string): Descriptor {
  const [marked, ...others] = manifests.filter(isMarked);
  if (others.length > 0)
    throw new CodedError("ComponentInvalid", `${name} has ${others.length + 1} manifests with ${mark}, not one`);
  const found = marked ?? manifests[0];
  if (found === undefined || !isManifestType(found.mediaType)) throw noComponent(name);
  return found;
}

function isMarked({ annotations }: { readonly annotations?: Annotations }): boolean {
  return annotations !== undefined && Object.hasOwn(annotations, mark) && annotations[mark] === "true";
}

function noComponent(name: string): CodedError {
  return new CodedError(
    "ComponentInvalid",
    `${name} is not an OCM component version: it has no layer with a component descriptor; remove component, or name a component version in url and ref`,
  );
}
