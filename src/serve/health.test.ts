import { connect } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { probeLimits } from "../config.ts";
import { codeOf } from "../errors.ts";
import { serveMetrics, serveProbes, type SmallServer } from "./health.ts";

const loopback = "127.0.0.1:0";
const open: SmallServer[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map(async (server) => await server.close()));
});

async function opened(server: Promise<SmallServer>): Promise<string> {
  open.push(await server);
  return `http://127.0.0.1:${open.at(-1)!.port}`;
}

async function get(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, init);
  return `${response.status} ${await response.text()}`;
}

describe("serveProbes", () => {
  it("answers as the process stands", async () => {
    let ready = false;
    const url = await opened(serveProbes(loopback, probeLimits, () => ready));
    expect([await get(`${url}/healthz`), await get(`${url}/readyz`)]).toEqual(["200 ok", "503 not ready"]);
    ready = true;
    expect(await get(`${url}/readyz?verbose`)).toBe("200 ok");
  });

  it.each<[string, string, RequestInit, string]>([
    ["HEAD", "/readyz", { method: "HEAD" }, "200 "],
    ["POST", "/healthz", { method: "POST", body: "x".repeat(100_000) }, "405 only GET"],
    ["another path", "/", {}, "404 not found"],
    ["a path that only looks like one", "/healthz/../metrics", {}, "404 not found"],
    ["a property of objects", "/constructor", {}, "404 not found"],
  ])("answers %s", async (_, path, init, expected) => {
    const url = await opened(serveProbes(loopback, probeLimits, () => true));
    expect(await get(`${url}${path}`, init)).toBe(expected);
  });

  it("answers 500 where the question itself fails", async () => {
    const url = await opened(
      serveProbes(loopback, probeLimits, () => {
        throw new Error("s3cret");
      }),
    );
    expect(await get(`${url}/readyz`)).toBe("500 failed");
    expect(await get(`${url}/healthz`)).toBe("200 ok");
  });

  it("closes at once, whoever is connected", async () => {
    const server = await serveProbes(loopback, probeLimits, () => true);
    const socket = connect(server.port, "127.0.0.1");
    await new Promise((done) => socket.once("connect", done));
    const cut = new Promise((done) => socket.once("close", done).once("error", done).resume());
    await server.close();
    await cut;
    await expect(get(`http://127.0.0.1:${server.port}/healthz`)).rejects.toThrow("fetch failed");
  });

  it("says where it cannot listen", async () => {
    await opened(serveProbes(loopback, probeLimits, () => true));
    expect(await serveProbes(`127.0.0.1:${open[0]!.port}`, probeLimits, () => true).catch(codeOf)).toBe("InvalidSpec");
  });
});

describe("serveMetrics", () => {
  it("serves what is rendered at that time", async () => {
    let scrapes = 0;
    const url = await opened(
      serveMetrics(
        loopback,
        probeLimits,
        async () => await Promise.resolve({ contentType: "text/plain; version=0.0.4", body: `scrapes ${++scrapes}\n` }),
      ),
    );
    const response = await fetch(`${url}/metrics`);
    expect([response.status, response.headers.get("content-type"), await response.text()]).toEqual([
      200,
      "text/plain; version=0.0.4",
      "scrapes 1\n",
    ]);
    // Not at once: rendering may take a tenth of the time at most.
    await vi.waitFor(async () => expect(await get(`${url}/metrics`)).toBe("200 scrapes 2\n"), 5000);
    expect(await get(`${url}/healthz`)).toBe("404 not found");
  });

  it("answers 500 where rendering fails", async () => {
    const url = await opened(serveMetrics(loopback, probeLimits, async () => await Promise.reject(new Error("no"))));
    expect(await get(`${url}/metrics`)).toBe("500 failed");
  });
});
