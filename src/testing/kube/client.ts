import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubeDefaults } from "../../config.ts";
import { connectKube, type KubeConnection, type KubeOptions } from "../../kube/http/connect.ts";
import type { TestKubeServer } from "./server.ts";
import { testCa } from "../registry/registry.ts";

/** A directory for the files of one test. */
export async function scratch(): Promise<
  AsyncDisposable & { readonly path: string; write(name: string, content: string | object): Promise<string> }
> {
  const path = await mkdtemp(join(tmpdir(), "strata-kube-"));
  return {
    path,
    write: async (name, content) => {
      const file = join(path, name);
      await writeFile(file, typeof content === "string" ? content : JSON.stringify(content));
      return file;
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  };
}

/** A kubeconfig for one server and one user. */
export function kubeconfig(server: string, user: object = {}, cluster: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "test",
        cluster: { server, "certificate-authority-data": Buffer.from(testCa()).toString("base64"), ...cluster },
      },
    ],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test", namespace: "apps" } }],
    "current-context": "test",
  };
}

/** Pauses that tests have the time for. */
export const quickKube = {
  ...kubeDefaults,
  inCluster: { server: "", directory: "" },
  qps: 0,
  burst: 0,
  userAgent: "strata-test/1.0",
  retry: { attempts: 4, baseMs: 1, maxMs: 5, maxWaitMs: 2000 },
} satisfies KubeOptions;

/** A client of a test server. */
export async function connectTo(
  server: TestKubeServer,
  options: Partial<KubeOptions> & { readonly user?: object } = {},
): Promise<KubeConnection & AsyncDisposable> {
  await using directory = await scratch();
  const { user, ...rest } = options;
  const file = await directory.write("kubeconfig", kubeconfig(server.url, user));
  const connection = await connectKube({ ...quickKube, kubeconfig: file, ...rest });
  return { ...connection, [Symbol.asyncDispose]: () => connection.close() };
}
