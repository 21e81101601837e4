import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { bundle } from "../../testing/bundle.ts";
import { kubeconfig, scratch } from "../../testing/kube/client.ts";
import { startKubeServer } from "../../testing/kube/server.ts";

const source = (path: string): string => JSON.stringify(new URL(path, import.meta.url).pathname);

/** Reads a kubeconfig and runs its plugin: both load packages only then. */
const entry = `
  import { connectKube } from ${source("connect.ts")};
  import { kubeDefaults } from ${source("../../config.ts")};
  const inCluster = { server: "", directory: "" };
  const { client, close } = await connectKube({ ...kubeDefaults, kubeconfig: process.argv[2], inCluster, qps: 0, burst: 0, userAgent: "strata-test" });
  const { items } = await client.list({ group: "", version: "v1", plural: "secrets", kind: "Secret" }, {}, AbortSignal.timeout(10_000));
  console.log(items.length);
  await close();
`;

it.each([true, false])("credential plugins work from a bundle (split: %j)", async (splitting) => {
  await using server = await startKubeServer({
    kinds: [{ group: "", version: "v1", plural: "secrets", kind: "Secret" }],
    tls: "server",
    tokens: new Set(["token1"]),
  });
  await using files = await scratch();
  const program = await bundle(entry, files.path, { splitting });
  const args = ["-e", "console.log(JSON.stringify({ status: { token: 'token1' } }))"];
  const config = await files.write(
    "config",
    kubeconfig(server.url, {
      exec: { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args },
    }),
  );
  const { stdout } = await promisify(execFile)(process.execPath, [program, config]);
  expect(stdout).toBe("0\n");
});
