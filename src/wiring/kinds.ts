import type { ResourceType } from "../kube/client.ts";

export { imagePolicies } from "../controller/resolve.ts";
export { artifactRepositories } from "../controller/status-writer.ts";
export { externalArtifacts } from "../publish/external-artifact.ts";
export { ociRepositories } from "../publish/oci-repository.ts";

export const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret" };
export const serviceAccounts: ResourceType = {
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
};
