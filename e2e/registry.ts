import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findBinary } from "./binaries.ts";
import type { Server } from "./server.ts";
import { answers, freePort, startServer } from "./server.ts";
import type { TokenServer } from "./token-server.ts";
import type { Certificate } from "./certificate.ts";
import type { Workspace } from "./workspace.ts";

/** The one account of registries with authentication. */
export const account = { username: "e2e", password: "e2e-password" };
/** bcrypt of that password. */
const htpasswdLine = "e2e:$2a$05$OHntDY09X3KBrRv/heK/iONV7vVc8I2gsVcUxuEY1ULhh4L0HXuj2\n";

export interface RegistryOptions {
  /** Also the name of its log. */
  readonly name?: string;
  /** An existing storage directory: what was pushed without authentication is served with it. */
  readonly storage?: string;
  readonly auth?: "htpasswd" | TokenServer;
  readonly tls?: Certificate;
  /** True unless stated otherwise. */
  readonly delete?: boolean;
  readonly port?: number;
  /** The largest page of a tag list; larger ones are refused. Distribution 3 alone. */
  readonly maxTags?: number;
  /** The program; distribution 3 unless stated otherwise. */
  readonly command?: string;
}

/** One line of the registry's access log. */
export interface LoggedRequest {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly agent: string;
}

/** The CNCF distribution registry. */
export interface Registry {
  /** `127.0.0.1:5000` */
  readonly host: string;
  readonly url: string;
  readonly port: number;
  readonly storage: string;
  readonly server: Server;
  /** What it has served so far. */
  requests(): Promise<readonly LoggedRequest[]>;
  stop(): Promise<unknown>;
}

const accessLine = /"([A-Z]+) (\S+) HTTP\/[0-9.]+" (\d+) (\d+) "[^"]*" "([^"]*)"/g;

export async function startRegistry(workspace: Workspace, options: RegistryOptions = {}): Promise<Registry> {
  const name = options.name ?? "registry";
  const dir = await workspace.directory(name);
  const storage = options.storage ?? join(dir, "storage");
  const port = options.port ?? (await freePort());
  const config = join(dir, "config.yml");
  // JSON is YAML.
  await writeFile(config, JSON.stringify(await configOf(options, { dir, storage, port })));
  const server = await startServer({
    name,
    command: options.command ?? (await findBinary("registry")),
    args: ["serve", config],
    // Its tracing exporter would otherwise look for a collector.
    env: { OTEL_TRACES_EXPORTER: "none" },
    logs: workspace.logs,
    ready: () => listens(port, options.tls),
  });
  workspace.onEnd(() => server.kill());
  const host = `127.0.0.1:${port}`;
  return {
    host,
    url: `${options.tls ? "https" : "http"}://${host}`,
    port,
    storage,
    server,
    requests: async () =>
      [...(await server.log()).matchAll(accessLine)].map(([, method = "", path = "", status, bytes, agent = ""]) => ({
        method,
        path,
        status: Number(status),
        bytes: Number(bytes),
        agent,
      })),
    stop: () => server.stop(),
  };
}

async function configOf(
  options: RegistryOptions,
  at: { dir: string; storage: string; port: number },
): Promise<unknown> {
  return {
    version: 0.1,
    log: { level: "warn", accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: at.storage }, delete: { enabled: options.delete ?? true } },
    http: {
      addr: `127.0.0.1:${at.port}`,
      secret: "e2e",
      ...(options.tls && {
        tls: {
          certificate: options.tls.certFile,
          key: options.tls.keyFile,
          ...(options.tls.clientCaFile !== undefined && { clientcas: [options.tls.clientCaFile] }),
        },
      }),
    },
    ...(options.maxTags !== undefined && { tags: { maxtags: options.maxTags } }),
    ...(options.auth !== undefined && { auth: await authOf(options.auth, at.dir) }),
  };
}

async function authOf(auth: "htpasswd" | TokenServer, dir: string): Promise<unknown> {
  if (auth === "htpasswd") {
    const path = join(dir, "htpasswd");
    await writeFile(path, htpasswdLine);
    return { htpasswd: { realm: "e2e", path } };
  }
  const { realm, service, issuer, certificate } = auth;
  return { token: { realm, service, issuer, rootcertbundle: certificate.certFile, signingalgorithms: ["ES256"] } };
}

/** A TLS registry is ready when it accepts connections: its certificate is judged by the program under test. */
function listens(port: number, tls: Certificate | undefined): Promise<boolean> {
  return tls === undefined
    ? answers(`http://127.0.0.1:${port}/v2/`)
    : answers(`http://127.0.0.1:${port}/`).catch(
        (error: unknown) => !/ECONNREFUSED/.test(String((error as Error).cause)),
      );
}
