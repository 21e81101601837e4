import type { ArtifactRepository } from "../../api/v1beta1/artifact-repository.ts";
import { defaultLimits } from "../config.ts";
import { parseObject, repositoryOf, tagQueryOf } from "../controller/spec.ts";
import { cloudCredentials } from "../wiring/clouds.ts";
import { clusterSources } from "../wiring/sources.ts";
import { CodedError } from "../errors.ts";
import { MemoryKube } from "../kube/memory.ts";
import type { Repository } from "../oci/content.ts";
import { parseTagRule, type TagRule } from "../tags/rule.ts";
import type { VerifyPolicy } from "../verify/verifier.ts";
import type { CommandIO } from "./command.ts";
import { type ManifestDocument, onlyArtifactRepository, readManifests } from "./manifests.ts";
import { openRegistry, openSource } from "./source.ts";
import { specFromFlags } from "./build-spec.ts";
import { secrets, serviceAccounts } from "../wiring/kinds.ts";

/** What is to be built, opened. */
export interface BuildSource {
  readonly object: ArtifactRepository;
  readonly repository: Repository;
  /** `team/app`, for names. */
  readonly repositoryPath: string;
  readonly rule: TagRule;
  readonly policy: VerifyPolicy | undefined;
  close(): Promise<void>;
}

/** From a reference and flags, with Docker's credentials. @throws InvalidReference, InvalidSpec, UsageError */
export async function sourceFromFlags(reference: string, values: Parameters<typeof specFromFlags>[1], insecure: boolean, io: CommandIO): Promise<BuildSource> {
  const opened = await openSource(reference, { insecure }, io);
  const object = specFromFlags(opened.reference, values, insecure);
  return { object, repository: opened.repository, repositoryPath: repositoryOf(object.spec).repository, rule: parseTagRule(tagQueryOf(object.spec)), policy: undefined, close: opened.close };
}

/**
 * From a manifest file. Secrets and ServiceAccounts that it names are looked for in the same file; where none are named,
 * Docker's credentials are used.
 * @throws InvalidSpec, SecretNotFound, …
 */
export async function sourceFromManifest(path: string, io: CommandIO): Promise<BuildSource> {
  const documents = await readManifests(path);
  const found = onlyArtifactRepository(documents, path);
  const object = parseObject(found.object);
  if (object.spec.ref?.imagePolicyRef !== undefined) {
    throw new CodedError("DependencyNotReady", "ref.imagePolicyRef needs a cluster; write the tag that the policy has chosen into ref.tag to try it here");
  }
  const rule = parseTagRule(tagQueryOf(object.spec));
  const { registry, credentials } = openRegistry(io);
  const sources = clusterSources({ registry, kube: await manifestKube(documents, io.signal), clouds: cloudCredentials({}), limits: defaultLimits, defaultServiceAccount: "", ownCredentials: credentials });
  const repository = await sources.open(object.spec, found.namespace, { since: 0, tagsSince: 0 }, io.signal);
  const policy = object.spec.verify && (await sources.verifyPolicy(object.spec, found.namespace, io.signal));
  return { object, repository, repositoryPath: repositoryOf(object.spec).repository, rule, policy, close: async () => await registry.close() };
}

async function manifestKube(documents: readonly ManifestDocument[], signal: AbortSignal): Promise<MemoryKube> {
  const kube = new MemoryKube();
  for (const { kind, name, namespace, object } of documents) {
    const type = [secrets, serviceAccounts].find((candidate) => candidate.kind === kind);
    if (type !== undefined) await kube.create(type, { ...object, apiVersion: "v1", kind, metadata: { ...(object["metadata"] as object), name, namespace } }, signal);
  }
  return kube;
}
