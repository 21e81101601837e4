import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { connect, type PeerCertificate, type TLSSocket } from "node:tls";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, test } from "vitest";
import { serverLimits } from "../config.ts";
import { testCa } from "../testing/registry/registry.ts";
import { advertisedAddress, listen, parseListenAddress, type Certificate, type HttpServer } from "./listen.ts";

const open: HttpServer[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close(0)));
});

const tlsFile = (name: string): string =>
  readFileSync(new URL(`../testing/fixtures/tls/${name}`, import.meta.url), "utf8");
const certificate = (name: string): Certificate => ({ cert: tlsFile(`${name}.crt`), key: tlsFile(`${name}.key`) });

describe("HTTPS", () => {
  async function start(current: () => Certificate): Promise<HttpServer> {
    const server = await listen((_, response) => void response.end("hello"), {
      address: "127.0.0.1:0",
      limits: serverLimits,
      certificate: current,
    });
    open.push(server);
    return server;
  }

  const peer = (port: number): Promise<PeerCertificate> =>
    new Promise((done, fail) => {
      const socket: TLSSocket = connect({ port, host: "127.0.0.1", rejectUnauthorized: false }, () => {
        done(socket.getPeerCertificate());
        socket.destroy();
      });
      socket.on("error", fail);
    });

  test("answers clients that trust its certificate", async () => {
    const { port } = await start(() => certificate("server"));
    const response = await new Promise<IncomingMessage>((done, fail) => {
      get({ host: "127.0.0.1", port, ca: testCa(), agent: false }, done).on("error", fail);
    });
    expect(await text(response)).toBe("hello");
  });

  test("uses a new certificate from the next connection on, also without SNI, and keeps the old one where the new is unusable", async () => {
    let current = certificate("server");
    const { port } = await start(() => current);
    const first = await peer(port);
    current = certificate("expired");
    const second = await peer(port);
    expect(second.fingerprint256).not.toBe(first.fingerprint256);
    current = { cert: "half a cer", key: current.key };
    expect((await peer(port)).fingerprint256).toBe(second.fingerprint256);
    current = certificate("server");
    expect((await peer(port)).fingerprint256).toBe(first.fingerprint256);
  });
});

test.each([
  [":9090", { host: undefined, port: 9090 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:80", { host: "localhost", port: 80 }],
  ["[::1]:5000", { host: "::1", port: 5000 }],
])("%s can be listened on", (address, expected) => {
  expect(parseListenAddress(address)).toEqual(expected);
});

test.each(["", "9090", "localhost", ":", ":65536", "::1:5000", "a b:1", "http://x:1", ":1/"])(
  "%j cannot be listened on",
  (address) => {
    expect(() => parseListenAddress(address)).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  },
);

test("an address that is taken is reported", async () => {
  const server = await listen(() => {}, { address: "127.0.0.1:0", limits: serverLimits });
  open.push(server);
  await expect(listen(() => {}, { address: `127.0.0.1:${server.port}`, limits: serverLimits })).rejects.toMatchObject({
    code: "InvalidSpec",
  });
});

test.each([
  ["strata.example", ":9090", "strata.example"],
  ["", ":9090", "pod-1:9090"],
  ["", "0.0.0.0:9090", "pod-1:9090"],
  ["", "[::]:9090", "pod-1:9090"],
  ["", "10.1.2.3:9090", "10.1.2.3:9090"],
  ["", "[fd00::1]:9090", "[fd00::1]:9090"],
])("advertised %j, listening on %s: %s", (advertised, address, expected) => {
  expect(advertisedAddress(advertised, address, { hostname: "pod-1", port: 9090 })).toBe(expected);
});
