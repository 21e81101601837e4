import { SOURCE_API_VERSION } from "../../api/flux/source.ts";
import type { ResourceType } from "../kube/client.ts";

export { artifactRepositories } from "../controller/status-writer.ts";
export { imagePolicies } from "../controller/resolve.ts";

const [group, version] = SOURCE_API_VERSION.split("/") as [string, string];
export const externalArtifacts: ResourceType = { group, version, plural: "externalartifacts", kind: "ExternalArtifact" };
export const ociRepositories: ResourceType = { group, version, plural: "ocirepositories", kind: "OCIRepository" };
export const secrets: ResourceType = { group: "", version: "v1", plural: "secrets", kind: "Secret" };
export const serviceAccounts: ResourceType = { group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount" };
