import type { ResourceType } from "../../../api/kinds.ts";
import { rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { inClusterFrom } from "../../config.ts";
import { codeOf } from "../../errors.ts";
import { FakeClock } from "../../testing/fake-clock.ts";
import { connectTo, kubeconfig, quickKube, scratch } from "../../testing/kube/client.ts";
import { startKubeServer, type TestKubeServer } from "../../testing/kube/server.ts";
import { startProxy } from "../../testing/registry/proxy.ts";
import { testCa, testClientCertificate } from "../../testing/registry/registry.ts";
import type { KubeClient } from "../client.ts";
import { connectKube, type KubeConnection, type KubeOptions } from "./connect.ts";
import { kubeconfigAccess } from "./kubeconfig.ts";

const widgets: ResourceType = { group: "example.dev", version: "v1", plural: "widgets", kind: "Widget" };
const key = { namespace: "apps", name: "one" };
const { signal } = new AbortController();
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const client = testClientCertificate();

/** "in" where the server has let the client in, else the code of what happened. */
async function knock(kube: KubeClient): Promise<string> {
  return kube.get(widgets, key, signal).then(() => "in", codeOf);
}

async function open(options: Partial<KubeOptions>): Promise<KubeConnection & AsyncDisposable> {
  const connection = await connectKube({ ...quickKube, ...options });
  return { ...connection, [Symbol.asyncDispose]: () => connection.close() };
}

const startServer = (options: Partial<Parameters<typeof startKubeServer>[0]> = {}): Promise<TestKubeServer> =>
  startKubeServer({ kinds: [widgets], tls: "server", ...options });

/** An exec plugin: `status` is code that says what it gives the nth time, which from the second time on takes so long. */
function plugin(directory: string, status: string, slowMs = 0): object {
  const code = `const fs = require("node:fs"), file = ${JSON.stringify(join(directory, "runs"))};
    fs.appendFileSync(file, "x");
    const n = fs.readFileSync(file, "utf8").length, info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
    setTimeout(() => console.log(JSON.stringify({ apiVersion: info.apiVersion, kind: "ExecCredential", status: ${status} })), n > 1 ? ${slowMs} : 0);`;
  return {
    exec: {
      apiVersion: "client.authentication.k8s.io/v1",
      command: process.execPath,
      args: ["-e", code],
      interactiveMode: "Never",
    },
  };
}

describe("users", () => {
  it.each<[string, (files: Awaited<ReturnType<typeof scratch>>) => Promise<object> | object, string]>([
    ["a token", () => ({ token: "token1" }), "in"],
    ["another token", () => ({ token: "token2" }), "AccessDenied"],
    ["nobody", () => ({}), "AccessDenied"],
    [
      "a token file beside the kubeconfig",
      async (files) => ({
        tokenFile: (await files.write("token", "token1\n")).slice(files.path.length + 1),
        token: "token2",
      }),
      "in",
    ],
    ["a token file by its whole path", async (files) => ({ tokenFile: await files.write("token", "token1") }), "in"],
    ["a plugin", (files) => plugin(files.path, '{ token: "token" + n }'), "in"],
    [
      "a plugin's token that is renewed when it is refused",
      (files) => plugin(files.path, '{ token: "token" + (3 - n) }'),
      "in",
    ],
    [
      "a plugin beside the kubeconfig",
      async (files) => {
        await writeFile(join(files.path, "plugin"), '#!/bin/sh\necho \'{"status":{"token":"token1"}}\'\n', {
          mode: 0o755,
        });
        return { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "./plugin" } };
      },
      "in",
    ],
    ["a plugin that fails", (files) => plugin(files.path, "process.exit(3)"), "AccessDenied"],
    [
      "a plugin that is missing",
      () => ({ exec: { apiVersion: "client.authentication.k8s.io/v1", command: "strata-no-such-plugin" } }),
      "AccessDenied",
    ],
  ])("may have %s", async (_, user, expected) => {
    await using server = await startServer({ tokens: new Set(["token1"]) });
    await using files = await scratch();
    const file = await files.write("config", kubeconfig(server.url, await user(files)));
    const outcome = await open({ kubeconfig: file }).then(async (connection) => {
      await using _ = connection;
      return await knock(connection.client);
    }, codeOf);
    expect(outcome).toBe(expected);
  });

  it("may have a password", async () => {
    await using server = await startServer();
    await using connection = await connectTo(server, { user: { username: "jane", password: "s3cret" } });
    expect(await knock(connection.client)).toBe("in");
    expect(server.requests[0]?.headers.authorization).toBe(`Basic ${base64("jane:s3cret")}`);
  });

  it("may have a certificate, as data or in files", async () => {
    await using server = await startServer({ tls: "mutual" });
    await using files = await scratch();
    await Promise.all([files.write("client.crt", client.cert), files.write("client.key", client.key)]);
    const data = { "client-certificate-data": base64(client.cert), "client-key-data": base64(client.key) };
    const inFiles = { "client-certificate": "client.crt", "client-key": "client.key" };
    const plugged = plugin(
      files.path,
      `{ clientCertificateData: ${JSON.stringify(client.cert)}, clientKeyData: ${JSON.stringify(client.key)} }`,
    );
    for (const [user, expected] of [
      [data, "in"],
      [inFiles, "in"],
      [plugged, "in"],
      [{}, "KubeUnreachable"],
    ] as const) {
      await using connection = await open({ kubeconfig: await files.write("config", kubeconfig(server.url, user)) });
      expect(await knock(connection.client)).toBe(expected);
    }
  });
});

describe("trust", () => {
  it.each<[string, object, string]>([
    ["the authority that is given", {}, "in"],
    ["no other authority", { "certificate-authority-data": base64(client.cert) }, "KubeUnreachable"],
    ["the system's, where none is given", { "certificate-authority-data": undefined }, "KubeUnreachable"],
    ["the name that the certificate is for", { "tls-server-name": "localhost" }, "in"],
    ["no other name", { "tls-server-name": "kubernetes.example" }, "KubeUnreachable"],
  ])("is in %s", async (_, cluster, expected) => {
    await using server = await startServer();
    await using files = await scratch();
    await using connection = await open({
      kubeconfig: await files.write("config", kubeconfig(server.url, {}, cluster)),
    });
    expect(await knock(connection.client)).toBe(expected);
  });
});

describe("kubeconfigs", () => {
  it("name the namespace and may put the API below a path", async () => {
    await using server = await startServer({ tls: undefined });
    await using files = await scratch();
    await using connection = await open({
      kubeconfig: await files.write("config", kubeconfig(`${server.url}/clusters/c-1/`)),
    });
    expect(connection.namespace).toBe("apps");
    await knock(connection.client);
    expect(server.requests[0]?.path).toBe("/clusters/c-1/apis/example.dev/v1/namespaces/apps/widgets/one");
  });

  it("are joined, the first one winning, and may be missing where there are several", async () => {
    await using files = await scratch();
    const first = await files.write("first", {
      "current-context": "",
      clusters: [{ name: "test", cluster: { server: "https://first:6443" } }],
    });
    const second = await files.write("second", kubeconfig("https://second:6443"));
    const access = await kubeconfigAccess([join(files.path, "missing"), first, second].join(delimiter));
    expect(access.server.host).toBe("first:6443");
    await expect(kubeconfigAccess(join(files.path, "missing"))).rejects.toMatchObject({ code: "InvalidSpec" });
  });

  const sound = kubeconfig("https://api:6443", { token: "token1" }) as { contexts: unknown[]; users: unknown[] };
  it.each<[string, string | object]>([
    ["no YAML", "token: {token1"],
    ["an empty file", ""],
    ["a list", "- a"],
    ["no current context", { ...sound, "current-context": "" }],
    ["a context that is missing", { ...sound, "current-context": "other" }],
    ["a cluster that is missing", { ...sound, clusters: [] }],
    ["a user that is missing", { ...sound, users: [] }],
    ["no address", kubeconfig("")],
    ["an address that is none", kubeconfig("api:6443")],
    ["plain HTTP to another machine", kubeconfig("http://api:6443")],
    ["credentials in the address", kubeconfig("https://jane:token1@api:6443")],
    ["TLS verification off", kubeconfig("https://api:6443", {}, { "insecure-skip-tls-verify": true })],
    ["a SOCKS proxy", kubeconfig("https://api:6443", {}, { "proxy-url": "socks5://jane:token1@proxy:1080" })],
    ["an authority that is not PEM", kubeconfig("https://api:6443", {}, { "certificate-authority-data": "token1" })],
    [
      "an authority that cannot be parsed",
      kubeconfig(
        "https://api:6443",
        {},
        { "certificate-authority-data": base64("-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----\n") },
      ),
    ],
    [
      "an authority's file that is missing",
      kubeconfig("https://api:6443", {}, { "certificate-authority-data": "", "certificate-authority": "none.crt" }),
    ],
    ["a certificate without a key", kubeconfig("https://api:6443", { "client-certificate-data": base64(client.cert) })],
    ["a token that is not text", kubeconfig("https://api:6443", { token: 5 })],
    ["impersonation", kubeconfig("https://api:6443", { token: "token1", as: "jane" })],
  ])("are refused with %s", async (_, content) => {
    await using files = await scratch();
    const error: unknown = await open({ kubeconfig: await files.write("config", content) }).catch(
      (thrown: unknown) => thrown,
    );
    expect(codeOf(error)).toBe("InvalidSpec");
    expect(String(error)).not.toContain("token1");
  });

  it("may lead through a proxy", async () => {
    await using server = await startServer({ tokens: new Set(["token1"]) });
    await using proxy = await startProxy({ login: "jane:s3cret" });
    await using files = await scratch();
    const reach = async (login: string): Promise<string> => {
      const file = await files.write(
        "config",
        kubeconfig(server.url, { token: "token1" }, { "proxy-url": proxy.url.replace("//", `//${login}@`) }),
      );
      await using connection = await open({ kubeconfig: file });
      return await knock(connection.client);
    };
    expect(await reach("jane:s3cret")).toBe("in");
    expect(await reach("jane:wrong")).toBe("KubeUnreachable");
    expect(new Set(proxy.requests)).toEqual(new Set([`CONNECT ${new URL(server.url).host}`]));
  });
});

describe("in a cluster", () => {
  async function pod(token: string): Promise<Awaited<ReturnType<typeof scratch>>> {
    const files = await scratch();
    await Promise.all([
      files.write("token", token),
      files.write("ca.crt", testCa()),
      files.write("namespace", "flux-system"),
    ]);
    return files;
  }

  it("the service account is used", async () => {
    await using server = await startServer({ tokens: new Set(["token1"]) });
    await using files = await pod("token1\n");
    await using connection = await open({ inCluster: { server: server.url, directory: files.path } });
    expect(connection.namespace).toBe("flux-system");
    expect(await knock(connection.client)).toBe("in");
  });

  it.each([
    [{}, ""],
    [{ KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "6443" }, "https://10.0.0.1:6443"],
    [{ KUBERNETES_SERVICE_HOST: "fd00::1" }, "https://[fd00::1]:443"],
  ])("the environment names the server: %j", (env, server) => {
    expect(inClusterFrom(env).server).toBe(server);
  });

  it("a namespace is optional, a token and a server are not", async () => {
    await using files = await pod("token1");
    await rm(join(files.path, "namespace"));
    await using connection = await open({ inCluster: { server: "https://api:6443", directory: files.path } });
    expect(connection.namespace).toBe("default");
    await rm(join(files.path, "token"));
    await expect(open({ inCluster: { server: "https://api:6443", directory: files.path } })).rejects.toMatchObject({
      code: "InvalidSpec",
    });
    await expect(open({ inCluster: { server: "", directory: files.path } })).rejects.toMatchObject({
      code: "InvalidSpec",
    });
  });

  it("a new token is read after a minute, or at once when the old one is refused", async () => {
    const clock = new FakeClock();
    const tokens = new Set(["token1", "token2"]);
    await using server = await startServer({ tokens });
    await using files = await pod("token1");
    await using connection = await open({ inCluster: { server: server.url, directory: files.path }, clock });
    const sent = async (): Promise<(string | undefined)[]> => {
      const before = server.requests.length;
      await knock(connection.client);
      return server.requests.slice(before).map(({ headers }) => headers.authorization?.slice(7));
    };
    await files.write("token", "token2");
    expect(await sent()).toEqual(["token1"]);
    await clock.advance(60_000);
    expect(await sent()).toEqual(["token2"]);
    expect(server.connections()).toBeLessThanOrEqual(2);
    await files.write("token", "token3");
    tokens.clear();
    tokens.add("token3");
    expect(await sent()).toEqual(["token2", "token3"]);
    tokens.clear();
    expect(await sent()).toEqual(["token3", "token3"]);
  });

  it("a rotation may be seen half done", async () => {
    const clock = new FakeClock();
    await using server = await startServer({ tokens: new Set(["token1"]) });
    await using files = await pod("token1");
    await using connection = await open({ inCluster: { server: server.url, directory: files.path }, clock });
    await rename(join(files.path, "ca.crt"), join(files.path, "ca.old"));
    await clock.advance(60_000);
    expect(await knock(connection.client)).toBe("in");
    await writeFile(join(files.path, "ca.crt"), "-----BEGIN CERT");
    await clock.advance(60_000);
    expect(await knock(connection.client)).toBe("in");
  });

  it("a new authority makes new connections, while a watch goes on", async () => {
    const clock = new FakeClock();
    await using server = await startServer();
    await using files = await pod("token1");
    await files.write("ca.crt", client.cert);
    await using connection = await open({ inCluster: { server: server.url, directory: files.path }, clock });
    expect(await knock(connection.client)).toBe("KubeUnreachable");
    await files.write("ca.crt", testCa());
    await clock.advance(60_000);
    expect(await knock(connection.client)).toBe("in");
    const watched: string[] = [];
    const watch = (async () => {
      for await (const { object } of connection.client.watch(widgets, { resourceVersion: "0" }, signal))
        watched.push(object.metadata.name);
    })();
    await delay(50);
    await files.write("ca.crt", `${client.cert}\n${testCa()}`);
    await clock.advance(60_000);
    expect(await knock(connection.client)).toBe("in");
    server.store.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key });
    await delay(50);
    server.store.endWatches();
    await watch;
    expect(watched).toEqual(["one"]);
  });
});

it("a plugin that hangs holds nobody up", async () => {
  await using server = await startServer({ tokens: new Set(["token1"]) });
  await using files = await scratch();
  const user = plugin(files.path, '{ token: "expired" }', 3000);
  await using connection = await open({ kubeconfig: await files.write("config", kubeconfig(server.url, user)) });
  const start = performance.now();
  await expect(connection.client.get(widgets, key, AbortSignal.timeout(100))).rejects.toMatchObject({
    code: "KubeUnreachable",
  });
  expect(performance.now() - start).toBeLessThan(2000);
});
