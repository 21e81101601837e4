import type { KubeObject } from "./kube.ts";
import { namespace } from "./repositories.ts";
import { account } from "./registry.ts";

/** A Secret in the namespace of every test object. */
export function secret(name: string, stringData: Readonly<Record<string, string>>, type = "Opaque"): KubeObject {
  return { apiVersion: "v1", kind: "Secret", metadata: { name, namespace }, type, stringData };
}

/** What `kubectl create secret docker-registry` makes, with the test account for each host. */
export function pullSecret(name: string, hosts: readonly string[], password = account.password): KubeObject {
  const auths = Object.fromEntries(
    hosts.map((host) => [host, { username: account.username, password, auth: basicAuth(account.username, password) }]),
  );
  return secret(name, { ".dockerconfigjson": JSON.stringify({ auths }) }, "kubernetes.io/dockerconfigjson");
}

export function basicAuth(username: string, password: string): string {
  return Buffer.from(`${username}:${password}`).toString("base64");
}
