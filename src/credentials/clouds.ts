import { awsCloud } from "./aws.ts";
import { azureCloud, type AzureEnvironment } from "./azure.ts";
import { CloudCredentials, type CloudCredentialsOptions } from "./cloud.ts";
import { gcpCloud } from "./gcp.ts";
import { serviceAccountTokens } from "./service-account.ts";

/** Workload identities of the three clouds and of Kubernetes itself; the clouds' SDKs are loaded when one is first asked for. */
export function cloudCredentials(
  azure: AzureEnvironment,
  tuning: Omit<CloudCredentialsOptions, "clouds">,
): CloudCredentials {
  return new CloudCredentials({
    clouds: {
      aws: awsCloud(),
      azure: azureCloud({ environment: azure }),
      gcp: gcpCloud(),
      generic: serviceAccountTokens(),
    },
    ...tuning,
  });
}
