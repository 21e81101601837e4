import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { speaksPlainHttp } from "../registry/plain-http.ts";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry, testCa } from "../testing/registry/registry.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-source-"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

describe("a registry on this machine", () => {
  it.each([["127.0.0.1"], ["localhost"]])("is asked in plain HTTP at %s", async (name) => {
    await using registry = await startRegistry({ fixtures: true });
    const { port } = new URL(registry.url);
    const { code, stderr } = await runStrata(["tree", `oci://${name}:${port}/product:1.0.0`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });

  it("that speaks TLS is asked in nothing else, and its certificate counts", async () => {
    await using registry = await startRegistry({ fixtures: true, tls: {} });
    const { code, stderr } = await runStrata(["tree", `oci://${registry.host}/product:1.0.0`]);
    expect(code).toBe(1);
    expect(stderr).toContain("[TlsFailed]");
    expect(stderr).toContain("--ca-file FILE adds one");
  });

  it("that does not speak TLS is told of in flags where TLS was asked for", async () => {
    await using registry = await startRegistry({ fixtures: true });
    const file = join(dir, "ca.crt");
    await writeFile(file, testCa());
    const { stderr } = await runStrata(["tree", `oci://${registry.host}/product:1.0.0`, "--ca-file", file]);
    expect(stderr).toContain("--insecure allows plain HTTP");
  });

  it("is named as it was asked in what is written for a cluster", async () => {
    await using registry = await startRegistry({ fixtures: true });
    expect((await runStrata(["init", `oci://${registry.host}/flux/app:1.0.0`])).stdout).toContain("insecure: true");
  });

  it.each([["registry.invalid"], ["localhost.registry.invalid"], ["10.0.0.1:1"], ["0.0.0.0:1"]])(
    "is not %s",
    async (host) => {
      expect(await speaksPlainHttp(host, new AbortController().signal)).toBe(false);
    },
  );

  it.each<[string, (socket: Socket) => void, boolean]>([
    ["that says nothing", () => undefined, true],
    ["that hangs up", (socket) => socket.destroy(), true],
    ["that answers in plain text", (socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"), true],
  ])("%s does not speak TLS", async (_, answer, expected) => {
    const server = createServer((socket) => {
      socket.on("error", () => undefined);
      answer(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    expect(await speaksPlainHttp(`127.0.0.1:${port}`, new AbortController().signal)).toBe(expected);
    expect(await speaksPlainHttp(`127.0.0.1:${port}`, AbortSignal.abort())).toBe(false);
    server.close();
  });

  it("that is not there is one for the request to tell of", async () => {
    expect(await speaksPlainHttp("127.0.0.1:1", new AbortController().signal)).toBe(false);
  });
});

describe("--ca-file is refused, before anything is asked for", () => {
  const pem = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
  it.each<[string, string | undefined, RegExp]>([
    ["that is empty", "", /holds no certificate in PEM/],
    ["with other text", "hunter2", /holds no certificate in PEM/],
    ["with a key alone", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", /no certificate in PEM/],
    ["with half a certificate", pem("aGVsbG8="), /certificate \(number 1\) that cannot be read/],
    ["that is not there", undefined, /cannot be read: ENOENT/],
  ])("%s", async (_, content, message) => {
    const path = join(dir, "ca.crt");
    if (content !== undefined) await writeFile(path, content);
    for (const command of [["tree"], ["build", "--dry-run"], ["tag", "stable"], ["init"]]) {
      const [name = "", ...rest] = command;
      const args = [name, "oci://127.0.0.1:1/app:1", ...rest, "--ca-file", path];
      const { code, stderr } = await runStrata(args);
      expect([name, code, stderr]).toEqual([name, 1, expect.stringMatching(message)]);
      expect(stderr).toContain("[TlsFailed]");
      expect(stderr).not.toContain("hunter2");
    }
  });
});
