import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findBinary } from "./binaries.ts";
import { Kube } from "./kube.ts";
import type { Server } from "./server.ts";
import { answers, freePort, startServer } from "./server.ts";
import type { Workspace } from "./workspace.ts";

/** etcd and kube-apiserver, without scheduler, kubelet, garbage collector or namespace controller. */
export interface ControlPlane {
  readonly url: string;
  readonly admin: Kube;
  /** A kubeconfig file for the administrator. */
  readonly kubeconfig: string;
  /** Writes a kubeconfig file for a service account's token, valid for a day; the account is made when it is missing. */
  kubeconfigFor(namespace: string, serviceAccount: string): Promise<string>;
  /** Stops kube-apiserver; etcd keeps the data. */
  stopApi(): Promise<void>;
  /** Starts kube-apiserver again, on the same port with the same certificate. */
  startApi(): Promise<void>;
}

export async function startControlPlane(workspace: Workspace): Promise<ControlPlane> {
  const dir = await workspace.directory("control-plane");
  const etcdUrl = await startEtcd(workspace, dir);
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const token = randomBytes(16).toString("hex");
  await writeFile(join(dir, "tokens.csv"), `${token},admin,admin,system:masters\n`);
  await writeFile(join(dir, "sa.key"), serviceAccountKey());

  let api: Server | undefined = await startApiServer(workspace, { dir, port, etcdUrl });
  workspace.onEnd(async () => api?.kill());
  // The server makes its own certificate on the first start; it is its own authority.
  const ca = await readFile(join(dir, "pki", "apiserver.crt"), "utf8");
  const admin = new Kube({ url, ca, token });
  workspace.onEnd(() => admin.close());
  const kubeconfig = join(dir, "admin.kubeconfig");
  await writeFile(kubeconfig, kubeconfigText({ url, ca, token }));
  return {
    url,
    admin,
    kubeconfig,
    kubeconfigFor: async (namespace, serviceAccount) => {
      const path = join(dir, `${namespace}-${serviceAccount}.kubeconfig`);
      await writeFile(
        path,
        kubeconfigText({ url, ca, token: await admin.serviceAccountToken(namespace, serviceAccount) }),
      );
      return path;
    },
    stopApi: async () => {
      // It would wait for those who watch.
      await api?.stop(1000);
      api = undefined;
    },
    startApi: async () => {
      api ??= await startApiServer(workspace, { dir, port, etcdUrl });
    },
  };
}

function serviceAccountKey(): string {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;
}

async function startEtcd(workspace: Workspace, dir: string): Promise<string> {
  const url = `http://127.0.0.1:${await freePort()}`;
  const etcd = await startServer({
    name: "etcd",
    command: await findBinary("etcd"),
    args: [
      `--data-dir=${join(dir, "etcd")}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=http://127.0.0.1:${await freePort()}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
    logs: workspace.logs,
    ready: () => answers(`${url}/health`),
  });
  workspace.onEnd(() => etcd.kill());
  return url;
}

async function startApiServer(
  workspace: Workspace,
  at: { dir: string; port: number; etcdUrl: string },
): Promise<Server> {
  const file = (name: string): string => join(at.dir, name);
  return startServer({
    name: "kube-apiserver",
    command: await findBinary("kube-apiserver"),
    args: [
      `--etcd-servers=${at.etcdUrl}`,
      `--secure-port=${at.port}`,
      "--bind-address=127.0.0.1",
      `--cert-dir=${file("pki")}`,
      "--service-cluster-ip-range=10.0.0.0/24",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${file("sa.key")}`,
      `--service-account-signing-key-file=${file("sa.key")}`,
      `--token-auth-file=${file("tokens.csv")}`,
      "--authorization-mode=RBAC",
      "--disable-admission-plugins=ServiceAccount",
      "--shutdown-delay-duration=0s",
    ],
    logs: workspace.logs,
    ready: async () => (await readyz(at)) === 200,
    readyTimeoutMs: 60_000,
  });
}

async function readyz(at: { dir: string; port: number }): Promise<number> {
  const ca = await readFile(join(at.dir, "pki", "apiserver.crt"), "utf8");
  const [token = ""] = (await readFile(join(at.dir, "tokens.csv"), "utf8")).split(",");
  const probe = new Kube({ url: `https://127.0.0.1:${at.port}`, ca, token });
  try {
    return await probe.status("/readyz");
  } finally {
    await probe.close();
  }
}

function kubeconfigText(access: { url: string; ca: string; token: string }): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "e2e",
        cluster: { server: access.url, "certificate-authority-data": Buffer.from(access.ca).toString("base64") },
      },
    ],
    users: [{ name: "e2e", user: { token: access.token } }],
    contexts: [{ name: "e2e", context: { cluster: "e2e", user: "e2e" } }],
    "current-context": "e2e",
  });
}
