import { cliDefaults, defaultLimits } from "../../config.ts";
import { CodedError, codeOf, messageOf } from "../../errors.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { findContent } from "../../pipeline/component.ts";
import { resolveRoot, tagRule, type Resolved } from "../../pipeline/resolve.ts";
import { selectContent } from "../../pipeline/select.ts";
import { localSources } from "../../pipeline/sources.ts";
import { parseObject, repositoryOf } from "../../pipeline/spec.ts";
import type { Decision, Selection } from "../../select/selection.ts";
import type { ClusterObject } from "../cluster/session.ts";
import type { CommandIO } from "../command.ts";
import { openRegistry } from "../source.ts";

/** What the registry says about an object, as far as it could be read. */
export interface ArtifactView {
  /** What the reference stands for now; undefined where that failed. */
  readonly resolved: Resolved | undefined;
  readonly decisions: readonly Decision[];
  readonly selection: Selection | undefined;
  /** What would keep the controller from building it, as far as manifests tell. */
  readonly failure: CodedError | undefined;
  /** Sentences about how it was read. */
  readonly notes: readonly string[];
}

/**
 * Resolves and selects as the controller would: only manifests are downloaded, and signatures are not checked. With the Secrets of
 * the object where they may be read, else with Docker's credentials.
 * @throws Aborted
 */
export async function readArtifact(object: ClusterObject, client: KubeClient, io: CommandIO): Promise<ArtifactView> {
  const notes: string[] = [];
  const signal = AbortSignal.any([io.signal, AbortSignal.timeout(cliDefaults.timeoutMs)]);
  try {
    const parsed = withoutTokens(parseObject(object), notes);
    try {
      return await read(parsed, { client, namespace: object.metadata.namespace, notes, signal }, io);
    } catch (error) {
      if (codeOf(error) !== "AccessDenied") throw error;
      notes.push(
        "the Secrets of this object may not be read with these credentials, so the registry was asked with Docker's",
      );
      return await read(withoutSecrets(parsed), { client, namespace: object.metadata.namespace, notes, signal }, io);
    }
  } catch (error) {
    io.signal.throwIfAborted();
    const code = signal.aborted ? "RegistryTimeout" : codeOf(error);
    const message = signal.aborted
      ? `the registry has not answered within ${cliDefaults.timeoutMs / 1000} s`
      : messageOf(error);
    const failure = error instanceof CodedError && !signal.aborted ? error : new CodedError(code, message);
    return { resolved: undefined, decisions: [], selection: undefined, failure, notes };
  }
}

interface Context {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly notes: readonly string[];
  readonly signal: AbortSignal;
}

async function read(object: ArtifactRepository, context: Context, io: CommandIO): Promise<ArtifactView> {
  const { client, namespace, notes, signal } = context;
  const { spec } = object;
  const { registry, credentials } = openRegistry(io);
  const decisions: Decision[] = [];
  let resolved: Resolved | undefined;
  try {
    const sources = localSources({ registry, kube: client, ownCredentials: credentials });
    const freshness = { since: 0, tagsSince: 0 };
    const rule = await tagRule(spec, namespace, client, signal);
    const repository = await sources.open(spec, namespace, freshness, signal);
    resolved = await resolveRoot(rule, repository, "read", signal);
    const place = repositoryOf(spec);
    const repositoryPath = place.repository;
    const common = { spec, repository, repositoryPath, resolved, limits: defaultLimits, signal };
    const open: Parameters<typeof findContent>[0]["open"] = (other, stop) =>
      sources.openBeside(spec, other, { namespace, freshness }, stop);
    const found = await findContent({ ...common, place, open, verification: undefined });
    const selection = await selectContent({ ...common, found }, (decision) => void decisions.push(decision));
    return { resolved, decisions, selection, failure: undefined, notes };
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === "AccessDenied" || signal.aborted) throw error;
    return { resolved, decisions, selection: undefined, failure: error, notes };
  } finally {
    await registry.close();
  }
}

/** A token of a service account is made, not read. */
function withoutTokens(object: ArtifactRepository, notes: string[]): ArtifactRepository {
  const { provider, serviceAccountName } = object.spec;
  if (provider === "generic" || serviceAccountName === undefined) return object;
  notes.push(
    `the registry was asked with your own credentials of ${provider}, not as ServiceAccount ${serviceAccountName}`,
  );
  return { ...object, spec: { ...object.spec, serviceAccountName: undefined } };
}

function withoutSecrets(object: ArtifactRepository): ArtifactRepository {
  const none = {
    secretRef: undefined,
    serviceAccountName: undefined,
    certSecretRef: undefined,
    proxySecretRef: undefined,
  };
  return { ...object, spec: { ...object.spec, ...none } };
}
