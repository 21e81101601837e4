import { GROUP, KIND, PLURAL, VERSION } from "./v1beta1/constants.ts";

/** A kind of the Kubernetes API, as its paths name it. */
export interface ResourceType {
  /** "" for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
}

/** Every kind that is read or written, once. */
export const artifactRepositories: ResourceType = { group: GROUP, version: VERSION, plural: PLURAL, kind: KIND };

const fluxSource = { group: "source.toolkit.fluxcd.io", version: "v1" };
export const externalArtifacts: ResourceType = { ...fluxSource, plural: "externalartifacts", kind: "ExternalArtifact" };
export const ociRepositories: ResourceType = { ...fluxSource, plural: "ocirepositories", kind: "OCIRepository" };
export const imagePolicies: ResourceType = {
  group: "image.toolkit.fluxcd.io",
  version: "v1",
  plural: "imagepolicies",
  kind: "ImagePolicy",
};

const core = { group: "", version: "v1" };
export const secrets: ResourceType = { ...core, plural: "secrets", kind: "Secret" };
export const serviceAccounts: ResourceType = { ...core, plural: "serviceaccounts", kind: "ServiceAccount" };
