import type { ExternalArtifact } from "../../api/flux/source.ts";
import { FIELD_MANAGER } from "../../api/v1beta1/constants.ts";
import type { KubeClient, ObjectKey } from "../kube/client.ts";
import type { Identified } from "../pipeline/object.ts";
import { timeoutMs } from "../pipeline/spec.ts";
import type { ArtifactStore } from "../store/store.ts";
import { carriedFrom, type Carried } from "./companion-metadata.ts";
import { exportedInputs, InputsSupport } from "./exported-inputs.ts";
import { publishExternalArtifact, retractArtifact, withdrawExternalArtifact } from "./external-artifact.ts";
import { publishOciRepository, pullSource, withdrawOciRepository, type EmbeddedEndpoint } from "./oci-repository.ts";
import type { ArtifactPublisher, Publisher } from "./port.ts";
import { storedImage } from "./stored-image.ts";

export interface CompanionOptions {
  readonly oci: EmbeddedEndpoint | undefined;
  readonly store: ArtifactStore;
  readonly cached: (key: ObjectKey) => ExternalArtifact | undefined;
  readonly now: () => Date;
}

/** The objects beside an ArtifactRepository that Flux's consumers read. */
export function companionPublishers(
  client: KubeClient,
  options: CompanionOptions,
): { readonly externalArtifact: ArtifactPublisher; readonly ociRepository: Publisher } {
  return {
    externalArtifact: externalArtifactPublisher(client, options),
    ociRepository: ociRepositoryPublisher(client, options),
  };
}

function externalArtifactPublisher(client: KubeClient, { cached, now }: CompanionOptions): ArtifactPublisher {
  const support = new InputsSupport();
  return {
    kind: "ExternalArtifact",
    publish: async ({ owner, artifact, sourceVerified }, signal) => {
      const request = {
        client,
        owner: identityOf(owner),
        artifact,
        sourceVerified,
        fieldManager: FIELD_MANAGER,
        carried: carriedOf(owner),
        current: cached(owner.key) ?? null,
        now: now(),
      };
      const inputs = exportedInputs(artifact, owner.object.spec.publish?.externalArtifact?.exportedAnnotations);
      const row = await support.write(inputs, async (supported) =>
        publishExternalArtifact({ ...request, exportedInputs: supported }, signal),
      );
      return { rows: [row], note: undefined };
    },
    withdraw: async (owner, signal) => await withdrawExternalArtifact({ client, owner: identityOf(owner) }, signal),
    retract: async (owner, message, signal) => {
      const identity = { client, owner: identityOf(owner) };
      await retractArtifact({ ...identity, fieldManager: FIELD_MANAGER, message, now: now() }, signal);
    },
  };
}

function ociRepositoryPublisher(client: KubeClient, { oci, store }: CompanionOptions): Publisher {
  return {
    kind: "OCIRepository",
    publish: async ({ owner }, signal) => {
      const stored = await storedImage(store, owner);
      const { spec } = owner.object;
      const source = pullSource(owner.key, spec.publish?.oci, oci);
      const row = await publishOciRepository(
        {
          client,
          owner: identityOf(owner),
          source,
          image: stored.image,
          interval: spec.interval,
          timeout: `${timeoutMs(spec) / 1000}s`,
          fieldManager: FIELD_MANAGER,
          carried: carriedOf(owner),
          current: undefined,
        },
        signal,
      );
      return { rows: [row], note: undefined };
    },
    withdraw: async (owner, signal) => await withdrawOciRepository({ client, owner: identityOf(owner) }, signal),
  };
}

function carriedOf({ object: { metadata, spec } }: Identified): Carried {
  return carriedFrom(metadata.labels, spec.publish?.commonMetadata);
}

function identityOf({ key, uid }: Pick<Identified, "key" | "uid">): {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
} {
  return { ...key, uid };
}
