import { fileURLToPath } from "node:url";
import { findBinary } from "./binaries.ts";
import type { ControlPlane } from "./controlplane.ts";
import type { KubeObject } from "./kube.ts";
import type { Server } from "./server.ts";
import { answers, freePort, startServer } from "./server.ts";
import type { Workspace } from "./workspace.ts";

const crds = [
  "source.toolkit.fluxcd.io_externalartifacts",
  "source.toolkit.fluxcd.io_ocirepositories",
  "kustomize.toolkit.fluxcd.io_kustomizations",
];

/** Both controllers refuse to start without these kinds, which no test uses: any content will do. */
const unused = {
  GitRepository: "gitrepositories",
  Bucket: "buckets",
  HelmRepository: "helmrepositories",
  HelmChart: "helmcharts",
};

export async function installFluxCrds(plane: ControlPlane): Promise<void> {
  for (const [kind, plural] of Object.entries(unused)) await plane.admin.apply(openCrd(kind, plural));
  for (const name of crds) await plane.admin.applyFile(fileURLToPath(new URL(`crds/${name}.yaml`, import.meta.url)));
  await plane.admin.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "flux-system" } });
}

function openCrd(kind: string, plural: string): KubeObject {
  const group = "source.toolkit.fluxcd.io";
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural },
      versions: [{ name: "v1", served: true, storage: true, subresources: { status: {} }, schema }],
    },
  };
}

/** @param env such as SSL_CERT_FILE, the certificates it trusts */
export async function startSourceController(
  workspace: Workspace,
  plane: ControlPlane,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const storage = await workspace.directory("source-controller");
  const port = await freePort();
  const flags = [
    `--storage-path=${storage}`,
    `--storage-addr=127.0.0.1:${port}`,
    `--storage-adv-addr=127.0.0.1:${port}`,
  ];
  return startController(workspace, plane, { name: "source-controller", flags, env });
}

/**
 * @param gates feature gates besides ExternalArtifact
 * @param env such as SSL_CERT_FILE, the certificates it trusts
 */
export function startKustomizeController(
  workspace: Workspace,
  plane: ControlPlane,
  gates: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  return startController(workspace, plane, {
    name: "kustomize-controller",
    flags: [
      `--feature-gates=${["ExternalArtifact", ...gates].map((gate) => `${gate}=true`).join(",")}`,
      "--requeue-dependency=2s",
    ],
    env,
  });
}

interface FluxController {
  readonly name: "source-controller" | "kustomize-controller";
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

async function startController(
  workspace: Workspace,
  plane: ControlPlane,
  { name, flags, env }: FluxController,
): Promise<Server> {
  const healthPort = await freePort();
  const server = await startServer({
    name,
    command: await findBinary(name),
    args: [
      ...flags,
      "--events-addr=",
      "--enable-leader-election=false",
      `--health-addr=127.0.0.1:${healthPort}`,
      `--metrics-addr=127.0.0.1:${await freePort()}`,
    ],
    env: { RUNTIME_NAMESPACE: "flux-system", KUBECONFIG: plane.kubeconfig, ...env },
    logs: workspace.logs,
    ready: () => answers(`http://127.0.0.1:${healthPort}/readyz`),
  });
  workspace.onEnd(() => server.kill());
  return server;
}
