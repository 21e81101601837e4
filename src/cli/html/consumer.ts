import { titleKey } from "../../oci/annotations.ts";
import type { Layer } from "../../oci/types.ts";
import type { Consumer } from "./model.ts";

/** What is known of a selection. */
interface Taken {
  /** Name of the known layout. */
  readonly profile?: string | undefined;
  readonly layers: readonly Layer[];
}

/** What reads these layers, where their layout or their names tell. */
export function consumerOf({ profile, layers }: Taken): Consumer | undefined {
  if (profile === "helm") return "HelmRelease";
  if (profile === "flux" || profile === "kyverno") return "Kustomization";
  const isFiles = profile === "oras" || profile === undefined;
  const isYaml = ({ descriptor }: Layer): boolean => /\.ya?ml$/.test(descriptor.annotations?.[titleKey] ?? "");
  return isFiles && layers.length > 0 && layers.every(isYaml) ? "Kustomization" : undefined;
}

/** What reads a resource of an OCM component version, by its type (ocm-spec, "Artifact Types"). */
export function consumerOfResource(type: string): Consumer | undefined {
  if (type === "helmChart") return "HelmRelease";
  return type === "directoryTree" || type === "fileSystem" ? "Kustomization" : undefined;
}
