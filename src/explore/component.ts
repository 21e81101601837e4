import { digestText, statedDigest, type ComponentDescriptor } from "../component/descriptor.ts";
import { looksLikeComponent, readComponent, type ReadOptions } from "../component/read.ts";
import { codeOf, messageOf } from "../errors.ts";
import type { Fetcher } from "../oci/content.ts";
import type { Descriptor } from "../oci/types.ts";
import type { Graph } from "./graph.ts";

interface ElementEntry {
  readonly name: string;
  readonly version: string;
  readonly extraIdentity?: Readonly<Record<string, string>>;
}

/** A resource as the descriptor describes it; nothing is checked. */
export interface ResourceEntry extends ElementEntry {
  readonly type: string;
  readonly relation: string;
  /** Its type, and whatever else that type says. */
  readonly access?: Readonly<Record<string, unknown>> & { readonly type: string };
  /** `SHA-256 0123… (genericBlobDigest/v1)`. */
  readonly digest?: string;
}

export interface ReferenceEntry extends ElementEntry {
  readonly componentName: string;
  readonly digest?: string;
}

/** A signature as it is stated; whether it is good nobody has looked. */
export interface SignatureEntry {
  readonly name: string;
  readonly algorithm: string;
  readonly digest: string;
  readonly issuer?: string;
}

/** An OCM component version. */
export interface ComponentEntry {
  readonly name: string;
  readonly version: string;
  readonly provider: string;
  readonly resources: readonly ResourceEntry[];
  readonly references: readonly ReferenceEntry[];
  readonly signatures: readonly SignatureEntry[];
}

export type ExploredComponent =
  ComponentEntry | { readonly problem: { readonly code: string; readonly message: string } };

/** The component version that the root is; undefined where it does not look like one. @throws the reason of the signal */
export async function exploreComponent(
  fetcher: Fetcher & { readonly name: string },
  root: Descriptor,
  graph: Graph,
  options: ReadOptions,
): Promise<ExploredComponent | undefined> {
  const body = graph.get(root.digest);
  if (body === undefined || body.kind === "unread" || !looksLikeComponent(body)) return undefined;
  try {
    return entryOf((await readComponent(fetcher, root, options)).descriptor);
  } catch (error) {
    options.signal.throwIfAborted();
    return { problem: { code: codeOf(error), message: messageOf(error) } };
  }
}

function entryOf(descriptor: ComponentDescriptor): ComponentEntry {
  const { name, version, provider, resources, componentReferences, signatures } = descriptor;
  return {
    name,
    version,
    provider: provider.name,
    resources: resources.map(resourceOf),
    references: componentReferences.map((reference) =>
      Object.assign(elementOf(reference), { componentName: reference.componentName }, digestOf(reference)),
    ),
    signatures: signatures.map(signatureOf),
  };
}

function resourceOf(resource: ComponentDescriptor["resources"][number]): ResourceEntry {
  const { type, relation, access } = resource;
  return { ...elementOf(resource), type, relation, ...(access && { access }), ...digestOf(resource) };
}

function signatureOf({ name, digest, signature }: ComponentDescriptor["signatures"][number]): SignatureEntry {
  const { algorithm, issuer } = signature;
  return { name, algorithm, digest: digestText(digest), ...(issuer !== "" && { issuer }) };
}

function digestOf({ digest }: Pick<ComponentDescriptor["resources"][number], "digest">): { digest?: string } {
  const stated = statedDigest(digest);
  return stated === undefined ? {} : { digest: digestText(stated) };
}

function elementOf({ name, version, extraIdentity }: ElementEntry): ElementEntry {
  return { name, version, ...(Object.keys(extraIdentity ?? {}).length > 0 && { extraIdentity }) };
}
