import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { cliDefaults } from "../../config.ts";
import { tagRule } from "../../pipeline/resolve.ts";
import { parseObject, repositoryOf, tagQueryOf } from "../../pipeline/spec.ts";
import { localSources } from "../../pipeline/sources.ts";
import { CodedError } from "../../errors.ts";
import type { KubeObject } from "../../kube/client.ts";
import type { ManifestObject } from "../../kube/local/manifest-objects.ts";
import { MemoryKube } from "../../kube/local/memory.ts";
import type { OpenRepository, Place } from "../../component/locate.ts";
import type { Repository } from "../../oci/content.ts";
import { parseTagRule, type TagRule } from "../../tags/rule.ts";
import type { VerifyPolicy } from "../../verify/verifier.ts";
import type { CommandIO } from "../command.ts";
import { onlyArtifactRepository, readManifests } from "../manifests.ts";
import { openRegistry, openSource, parseSource, type SourceFlags } from "../source.ts";
import { specFromFlags } from "./spec.ts";

/** What is to be built, opened. */
export interface BuildSource {
  readonly object: ArtifactRepository;
  readonly repository: Repository;
  /** `team/app`, for names. */
  readonly repositoryPath: string;
  /** Undefined for a layout on disk. */
  readonly place: Place | undefined;
  /** Opens what a component version refers to. */
  readonly open: OpenRepository;
  readonly rule: TagRule;
  readonly policy: VerifyPolicy | undefined;
  close(): Promise<void>;
}

/** From a reference and flags, with Docker's credentials. @throws InvalidReference, InvalidSpec, TlsFailed, UsageError */
export async function sourceFromFlags(
  reference: string,
  values: Parameters<typeof specFromFlags>[1],
  flags: SourceFlags,
  io: CommandIO,
): Promise<BuildSource> {
  const object = specFromFlags(parseSource(reference), values, flags.insecure ?? false);
  const rule = parseTagRule(tagQueryOf(object.spec));
  const { repository, open, close, ...opened } = await openSource(reference, flags, io);
  const place = opened.reference.kind === "registry" ? opened.reference : undefined;
  return {
    object,
    repository,
    repositoryPath: repositoryOf(object.spec).repository,
    place,
    open,
    rule,
    policy: undefined,
    close,
  };
}

/**
 * From a manifest file. The Secrets, ServiceAccounts and ImagePolicies that it names are looked for in the same file; where
 * no Secret is named, Docker's credentials are used.
 * @throws InvalidSpec, SecretNotFound, DependencyNotReady, …
 */
export async function sourceFromManifest(path: string, io: CommandIO): Promise<BuildSource> {
  const objects = await readManifests(path, io.stdin);
  return await sourceFromObject(objects, parseObject(onlyArtifactRepository(objects, path).object), io);
}

/** The same for one of several. @throws as `sourceFromManifest` */
export async function sourceFromObject(
  objects: readonly ManifestObject[],
  object: ArtifactRepository,
  io: CommandIO,
): Promise<BuildSource> {
  const { namespace = cliDefaults.namespace } = object.metadata;
  const kube = kubeOf(objects);
  const { registry, credentials } = openRegistry(io);
  try {
    const sources = localSources({ registry, kube, ownCredentials: credentials });
    const rule = await tagRule(object.spec, namespace, kube, io.signal);
    const repository = await sources.open(object.spec, namespace, { since: 0, tagsSince: 0 }, io.signal);
    const policy = object.spec.verify && (await sources.verifyPolicy(object.spec, namespace, io.signal));
    const place = repositoryOf(object.spec);
    const beside = { namespace, freshness: { since: 0, tagsSince: 0 } };
    return {
      object,
      repository,
      repositoryPath: place.repository,
      place,
      open: (other, signal) => sources.openBeside(object.spec, other, beside, signal),
      rule,
      policy,
      close: async () => await registry.close(),
    };
  } catch (error) {
    await registry.close();
    throw error;
  }
}

/** @throws InvalidSpec for an object that is there twice */
function kubeOf(objects: readonly ManifestObject[]): MemoryKube {
  const kube = new MemoryKube();
  for (const { type, object, where } of objects) {
    const { namespace, name } = object.metadata;
    if (kube.peek(type, object.metadata) !== undefined)
      throw new CodedError("InvalidSpec", `${where}: ${type.kind} ${namespace}/${name} is there twice; keep one`);
    kube.put<KubeObject>(type, object);
  }
  return kube;
}
