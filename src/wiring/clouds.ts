import { credentialDefaults } from "../config.ts";
import { awsCloud } from "../credentials/aws.ts";
import { azureCloud, type AzureEnvironment } from "../credentials/azure.ts";
import { CloudCredentials } from "../credentials/cloud.ts";
import { gcpCloud } from "../credentials/gcp.ts";
import { serviceAccountTokens } from "../credentials/service-account.ts";

/** Workload identities of the three clouds and of Kubernetes itself; the clouds' SDKs are loaded when one is first asked for. */
export function cloudCredentials(azure: AzureEnvironment): CloudCredentials {
  return new CloudCredentials({
    clouds: {
      aws: awsCloud(),
      azure: azureCloud({ environment: azure }),
      gcp: gcpCloud(),
      generic: serviceAccountTokens(),
    },
    ...credentialDefaults.cloud,
  });
}
