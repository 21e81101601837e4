import { imagePolicies } from "../../api/kinds.ts";
import type { ImagePolicy } from "../../api/flux/image.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { CodedError, codeOf } from "../errors.ts";
import type { KubeClient } from "../kube/client.ts";
import type { NextStep, Resolver, TagLister } from "../oci/content.ts";
import { parseReference } from "../oci/reference.ts";
import type { Descriptor } from "../oci/types.ts";
import { chooseReference } from "../tags/choose.ts";
import { resolveNamed } from "../tags/resolve.ts";
import { namedRule, parseTagRule, type TagRule } from "../tags/rule.ts";
import { repositoryOf, tagQueryOf } from "./spec.ts";

/** What the reference stands for now. */
export interface Resolved {
  /** Undefined where the reference is a digest alone. */
  readonly tag: string | undefined;
  readonly root: Descriptor;
}

/**
 * @param next `read` where something is to be built: then the manifest comes along
 * @throws NoTagMatch, NotFound (with the tags that are near), InvalidPattern, what the registry client throws
 */
export async function resolveRoot(
  rule: TagRule,
  repository: Resolver & TagLister & { readonly name: string },
  next: NextStep,
  signal: AbortSignal,
): Promise<Resolved> {
  const { tag, digest } = await chooseReference(rule, repository, signal);
  return { tag, root: await resolveNamed(repository, { tag, digest }, next, signal) };
}

/**
 * How the tag is chosen: from `spec.ref` alone, or from the ImagePolicy that it follows.
 * @throws InvalidSpec, InvalidPattern, InvalidDigest; DependencyNotReady where the policy has chosen nothing yet
 */
export async function tagRule(
  spec: ArtifactRepositorySpec,
  namespace: string,
  kube: KubeClient,
  signal: AbortSignal,
): Promise<TagRule> {
  const policy = spec.ref?.imagePolicyRef;
  if (policy === undefined) return parseTagRule(tagQueryOf(spec));
  const name = `ImagePolicy ${namespace}/${policy.name}`;
  const object = await kube
    .get<ImagePolicy>(imagePolicies, { namespace, name: policy.name }, signal)
    .catch((error: unknown) => {
      if (codeOf(error) !== "CrdMissing") throw error;
      throw new CodedError(
        "DependencyNotReady",
        `${name}, which ref.imagePolicyRef names, cannot exist: the cluster has no ImagePolicy; install Flux's image-reflector-controller or write ref.tag`,
        { cause: error },
      );
    });
  if (object === undefined)
    throw new CodedError("DependencyNotReady", `${name}, which ref.imagePolicyRef names, does not exist`);
  const latest = object.status?.latestRef;
  if (latest === undefined)
    throw new CodedError("DependencyNotReady", `${name} has not chosen an image yet; see its conditions`);
  requireSameImage(spec, latest.name, name);
  return namedRule(latest);
}

/** A tag says nothing about another repository than the one it was read from. */
function requireSameImage(spec: ArtifactRepositorySpec, image: string, name: string): void {
  const { registry, repository } = repositoryOf(spec);
  const found = parseReference(image);
  if (found.kind === "registry" && found.registry === registry && found.repository === repository) return;
  throw new CodedError(
    "InvalidSpec",
    `${name} is about ${image.slice(0, 200)}, but url is ${spec.url}; write url: oci://${image.slice(0, 200)}, or name a policy for this repository`,
  );
}
