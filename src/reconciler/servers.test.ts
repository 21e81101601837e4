import { mkdtemp, readFile, rm } from "node:fs/promises";
import { get } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Certificate } from "../serve/listen.ts";
import { startServers, type ServerOptions, type Servers } from "./servers.ts";

const tls = async (name: string): Promise<string> =>
  await readFile(join(import.meta.dirname, "../testing/fixtures/tls", name), "utf8");
let root: string;
let certificate: Certificate;
let servers: Servers | undefined;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-servers-"));
  certificate = { cert: await tls("server.crt"), key: await tls("server.key") };
});
afterEach(async () => {
  await servers?.close(0);
  servers = undefined;
  await rm(root, { recursive: true, force: true });
});

async function start(options: Partial<ServerOptions>): Promise<string> {
  const address = "127.0.0.1:0";
  const fixed = { root, address, advertised: "", hostname: "127.0.0.1", oci: undefined, ready: () => true };
  servers = await startServers({
    ...fixed,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
  return servers.advertised;
}

const status = async (url: string, ca: string): Promise<number | undefined> =>
  await new Promise((resolve, reject) => {
    get(url, { ca, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on("error", reject);
  });

describe("the artifact server", () => {
  it("speaks HTTPS where it has a certificate, and says so in its addresses", async () => {
    const advertised = await start({ certificate: () => certificate });
    expect(advertised).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const url = `${advertised}/artifactrepository/default/app/latest.tar.gz`;
    expect(await status(url, await tls("ca.crt"))).toBe(404);
    certificate = { cert: await tls("expired.crt"), key: await tls("expired.key") };
    await expect(status(url, await tls("ca.crt"))).rejects.toMatchObject({ code: "CERT_HAS_EXPIRED" });
    await expect(fetch(url.replace("https:", "http:"))).rejects.toThrow();
  });

  it.each([
    ["strata.example", "https://strata.example"],
    ["https://strata.example:8443", "https://strata.example:8443"],
    ["http://mesh.example", "http://mesh.example"],
  ])("is known as it is told: %s", async (advertised, expected) => {
    expect(await start({ certificate: () => certificate, advertised })).toBe(expected);
  });

  it("speaks plain HTTP without a certificate", async () => {
    const advertised = await start({});
    expect(advertised).toMatch(/^127\.0\.0\.1:\d+$/);
    expect((await fetch(`http://${advertised}/artifactrepository/default/app/latest.tar.gz`)).status).toBe(404);
  });
});
