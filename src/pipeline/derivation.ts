import type { Derivation } from "../../api/v1beta1/derivation.ts";
import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import type { ComponentStatus, SelectedStatus } from "../../api/v1beta1/status.ts";
import type { Artifact } from "../store/store.ts";
import { parseJson } from "../text/json.ts";
import { version } from "../version.ts";
import type { Verification } from "../verify/verifier.ts";
import type { Resolved } from "./resolve.ts";

/** What is known of an artifact once it is stored. */
export interface Facts {
  readonly spec: ArtifactRepositorySpec;
  readonly resolved: Resolved;
  readonly selected: SelectedStatus;
  readonly component: ComponentStatus | undefined;
  readonly verification: Verification | undefined;
  readonly artifact: Pick<Artifact, "revision">;
}

/** How the artifact was made, as it is attested: nothing in it comes from a clock, so that the same is said once. */
export function derivationOf({ spec, resolved, selected, component, verification, artifact }: Facts): Derivation {
  const { indexSelector, layerSelector, ignore } = spec;
  const { operation, layout, profile, layerCount, layers = [] } = selected;
  const { tag, root } = resolved;
  return {
    builder: { name: "strata", version },
    upstream: { url: spec.url, ...(tag !== undefined && { tag }), digest: root.digest, mediaType: root.mediaType },
    ...verifiedBy(verification),
    ...(component && { component }),
    selection: {
      spec: {
        ...(spec.component && { component: spec.component }),
        ...(indexSelector && { indexSelector }),
        ...(layerSelector && { layerSelector }),
        ...(ignore !== undefined && { ignore }),
      },
      operation,
      ...(layout !== undefined && { layout }),
      ...(profile !== undefined && { profile }),
      layerCount,
      layers: [...layers],
    },
    contentDigest: artifact.revision.slice(artifact.revision.lastIndexOf("@") + 1),
  };
}

function verifiedBy(verification: Verification | undefined): Pick<Derivation, "verification"> {
  if (verification?.result !== "verified") return {};
  const { provider, identity, key } = verification;
  return { verification: { provider, identity, ...(key !== undefined && { key }) } };
}

/** What of a derivation counts: another version of Strata that makes the same says nothing new. */
export function essenceOf(predicate: object): unknown {
  const { builder: _, ...rest } = predicate as Partial<Derivation>;
  return parseJson(JSON.stringify(rest));
}
