import { credentialDefaults } from "../config.ts";
import { awsCloud } from "../credentials/aws.ts";
import { azureCloud, type AzureEnvironment } from "../credentials/azure.ts";
import { CloudCredentials } from "../credentials/cloud.ts";
import { gcpCloud } from "../credentials/gcp.ts";

/** Workload identities of the three clouds; their SDKs are loaded when one is first asked for. */
export function cloudCredentials(azure: AzureEnvironment): CloudCredentials {
  return new CloudCredentials({
    clouds: { aws: awsCloud(), azure: azureCloud({ environment: azure }), gcp: gcpCloud() },
    ...credentialDefaults.cloud,
  });
}
