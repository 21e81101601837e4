import { stringify } from "yaml";
import { CodedError } from "../errors.ts";
import type { Descriptor } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { statedDigest, type ComponentReference, type Resource } from "./descriptor.ts";
import { maxDescriptorBytes } from "./encoding.ts";
import { parseRelativeReference } from "./image-reference.ts";
import { formatIdentity, only, type IdentitySelector } from "./identity.ts";
import { locate, type Context, type Located } from "./locate.ts";
import { formWithDigest } from "./normalisation.ts";
import { readComponent, type ComponentVersion } from "./read.ts";
import { locationOf, repositoryOf, statedVersion, tagOfVersion } from "./version.ts";

/** `spec.component`. */
export interface ComponentSelector {
  readonly path?: readonly IdentitySelector[] | undefined;
  /** Undefined: the refusal lists what there is. */
  readonly resource?: IdentitySelector | undefined;
}

export interface ComponentRequest extends Context {
  /** What the reference resolved to. */
  readonly root: Descriptor;
  readonly tag: string | undefined;
  readonly selector: ComponentSelector;
}

/** The resource that was asked for. */
export interface FoundResource extends Located {
  /** The component version that the reference names. */
  readonly root: ComponentVersion;
  /** The references that were followed. */
  readonly path: readonly ComponentReference[];
  /** The component version that has the resource: `root`, or the last of the path. */
  readonly holder: ComponentVersion;
  readonly resource: Resource;
}

/** Bytes of all the descriptors on one path. */
const maxPathBytes = 2 * maxDescriptorBytes;

/**
 * From a component version to the content of a resource.
 *
 * @throws ComponentInvalid, NoResourceMatch, AmbiguousResource, AccessUnsupported, AccessDenied, DigestMismatch, VerificationFailed, what
 * registries answer
 */
export async function findResource(request: ComponentRequest): Promise<FoundResource> {
  const { selector, tag } = request;
  const root = await readComponent(request.repository, request.root, request);
  requireName(root, request.place?.repository);
  requireVersion(root, tag);
  const { holder, path, context } = await follow(root, selector.path ?? [], request);
  const resource = onlyResource(holder, selector);
  const what = `resource ${formatIdentity(resource)} of ${nameOf(holder)}`;
  return { ...(await locate(resource, holder, context, what)), root, path, holder, resource };
}

/** `fx.example/app:1.0.0` */
export function nameOf({ descriptor: { name, version } }: ComponentVersion): string {
  return `${printable(name)}:${printable(version)}`;
}

/** @throws NoResourceMatch, AmbiguousResource */
export function onlyResource(holder: ComponentVersion, { path, resource }: ComponentSelector): Resource {
  return only(resource, {
    kind: "resource",
    of: nameOf(holder),
    all: holder.descriptor.resources,
    line: resourceLine,
    suggest: (found) => ({ component: { ...(path && path.length > 0 && { path }), resource: found } }),
    yaml,
  });
}

/** A signed component version of another name or version, under this one's, would be as good: both are part of what is meant. */
function requireName({ descriptor }: ComponentVersion, repository: string | undefined): void {
  const location = repository === undefined ? undefined : locationOf(repository);
  if (location === undefined || location.component === descriptor.name) return;
  throw new CodedError(
    "ComponentInvalid",
    `the repository is that of the component ${location.component}, but what lies there is ${printable(descriptor.name)}:${printable(descriptor.version)}`,
  );
}

function requireVersion(root: ComponentVersion, tag: string | undefined): void {
  const stated = tag === undefined ? undefined : statedVersion(tag);
  if (stated === undefined || stated === root.descriptor.version) return;
  throw new CodedError(
    "ComponentInvalid",
    `the tag ${tag} is that of version ${stated}, but what it names is ${nameOf(root)}`,
  );
}

interface Followed {
  readonly holder: ComponentVersion;
  readonly path: readonly ComponentReference[];
  readonly context: Context;
}

async function follow(
  root: ComponentVersion,
  selectors: readonly IdentitySelector[],
  request: ComponentRequest,
): Promise<Followed> {
  let holder = root;
  let context: Context = request;
  const path: ComponentReference[] = [];
  const met = new Set([nameOf(root)]);
  let bytes = root.bytes;
  for (const [at, selector] of selectors.entries()) {
    const reference = onlyReference(holder, selector, selectors.slice(0, at));
    ({ holder, context } = await step(holder, reference, context));
    path.push(reference);
    bytes += holder.bytes;
    if (bytes > maxPathBytes)
      throw new CodedError(
        "ComponentInvalid",
        `the descriptors on component.path have more than ${maxPathBytes} bytes`,
      );
    if (met.has(nameOf(holder)))
      throw new CodedError("ComponentInvalid", `component.path comes back to ${nameOf(holder)}; leave the circle out`);
    met.add(nameOf(holder));
  }
  return { holder, path, context };
}

function onlyReference(
  holder: ComponentVersion,
  selector: IdentitySelector,
  before: readonly IdentitySelector[],
): ComponentReference {
  return only(selector, {
    kind: "component reference",
    of: nameOf(holder),
    all: holder.descriptor.componentReferences,
    line: (reference) =>
      `${formatIdentity(reference)}  to ${printable(reference.componentName)}:${printable(reference.version)}`,
    suggest: (found) => ({ component: { path: [...before, found] } }),
    yaml,
  });
}

/** The component version that a reference names, in the same OCM repository. */
async function step(
  holder: ComponentVersion,
  reference: ComponentReference,
  context: Context,
): Promise<{ holder: ComponentVersion; context: Context }> {
  const what = `component reference ${formatIdentity(reference)} of ${nameOf(holder)}`;
  const { componentName, version } = reference;
  const place = besideOf(context, componentName, what);
  const stated = statedDigest(reference.digest);
  if (stated === undefined && context.coverage !== undefined)
    throw new CodedError("VerificationFailed", `${what} states no digest, so that no signature covers what it names`);
  const repository = await context.open(place, context.signal);
  const root = await repository.resolve(tagOfVersion(version), context.signal, "read");
  const next = await readComponent(repository, root, context);
  if (next.descriptor.name !== componentName || next.descriptor.version !== version)
    throw new CodedError(
      "ComponentInvalid",
      `${what} names ${printable(componentName)}:${printable(version)}, but what lies there is ${nameOf(next)}`,
    );
  const checked = stated && formWithDigest(next.descriptor, stated);
  if (checked !== undefined && "problem" in checked)
    throw new CodedError(
      context.coverage === undefined ? "DigestMismatch" : "VerificationFailed",
      `the digest of ${what} ${checked.problem}`,
    );
  // From here on a signature vouches for normalised descriptors.
  const coverage = context.coverage === undefined ? undefined : "descriptor";
  return { holder: next, context: { ...context, repository, place, coverage } };
}

function besideOf({ place }: Context, componentName: string, what: string): NonNullable<Context["place"]> {
  const location = place && locationOf(place.repository);
  if (place === undefined || location === undefined)
    throw new CodedError(
      "InvalidReference",
      `${what} can only be followed where url is oci://HOST/PREFIX/component-descriptors/COMPONENT`,
    );
  const repository = repositoryOf(location.prefix, componentName);
  const parsed = parseRelativeReference(place.registry, repository, what);
  if (parsed.repository === repository) return { registry: place.registry, repository };
  throw new CodedError(
    "ComponentInvalid",
    `${what} names the component ${printable(componentName)}, which no repository can be called`,
  );
}

function resourceLine(resource: Resource): string {
  const { type, access } = resource;
  return [formatIdentity(resource), printable(type), access && `by ${printable(access.type)}`]
    .filter(Boolean)
    .join("  ");
}

function yaml(suggestion: object): string {
  return stringify(suggestion, { lineWidth: 0 }).trimEnd();
}
