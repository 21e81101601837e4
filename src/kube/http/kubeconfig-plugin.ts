import { isObject, type Json } from "../../text/json.ts";
import { join } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { CodedError, messageOf } from "../../errors.ts";
import type { Material } from "./access.ts";

interface PluginUser {
  readonly name: string;
  /** What the plugin's path is relative to. */
  readonly directory: string;
  readonly fields: Json;
}

/**
 * A user whom an exec plugin or an auth provider lets in; client-node runs it and keeps what it gives until that expires.
 * The package is loaded only here: it takes 0.2 s and 50 MB, which tokens and certificates have no need of.
 */
export function pluginMaterial(user: PluginUser): (refused: boolean) => Promise<Material> {
  let config: KubeConfig | undefined;
  return async (refused) => {
    // A new object has an empty cache, so the plugin is asked again.
    if (config === undefined || refused) config = await clientConfig(user);
    const options: { headers?: Record<string, unknown>; cert?: unknown; key?: unknown } = {};
    try {
      await config.applyToHTTPSOptions(options as Parameters<KubeConfig["applyToHTTPSOptions"]>[0]);
    } catch (error) {
      throw new CodedError(
        "AccessDenied",
        `user ${user.name} of the kubeconfig: its credential plugin failed: ${messageOf(error).trim().slice(0, 500)}`,
        { cause: error },
      );
    }
    const authorization = options.headers?.["Authorization"];
    return {
      authorization: typeof authorization === "string" ? authorization : undefined,
      cert: pemOf(options.cert),
      key: pemOf(options.key),
    };
  };
}

async function clientConfig({ name, directory, fields }: PluginUser): Promise<KubeConfig> {
  const { KubeConfig } = await import("@kubernetes/client-node");
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [],
    users: [{ name, authProvider: fields["auth-provider"], exec: execOf(fields["exec"], directory) }],
    contexts: [{ name, cluster: "", user: name }],
    currentContext: name,
  });
  return config;
}

/** Plugins read from KUBERNETES_EXEC_INFO which version of the answer is wanted, and that there is nobody to ask. */
function execOf(exec: unknown, directory: string): unknown {
  if (!isObject(exec)) return undefined;
  const info = { apiVersion: exec["apiVersion"], kind: "ExecCredential", spec: { interactive: false } };
  const env: unknown[] = Array.isArray(exec["env"]) ? exec["env"] : [];
  const { command } = exec;
  // "./plugin" lies beside the kubeconfig, "plugin" on the PATH.
  const isRelative = typeof command === "string" && command.includes("/") && !command.startsWith("/");
  return {
    ...exec,
    command: isRelative ? join(directory, command) : command,
    env: [...env, { name: "KUBERNETES_EXEC_INFO", value: JSON.stringify(info) }],
  };
}

const pemOf = (value: unknown): string | undefined =>
  typeof value === "string" || Buffer.isBuffer(value) ? value.toString() : undefined;
