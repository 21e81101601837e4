import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

/** A command that hangs in one way, which is said on standard output, under `stopOnSignals`. */
const program = (hang: string, graceMs: number): string => `
  import { stopOnSignals } from ${JSON.stringify(new URL("signals.ts", import.meta.url).href)};
  const stopping = stopOnSignals(${graceMs});
  const aborted = new Promise((done) => stopping.signal.addEventListener("abort", done));
  console.log("hanging");
  ${hang}
  process.exit(stopping.exitCode() ?? 0);
`;
const cleans = "setInterval(() => undefined, 1000); await aborted;";
const forEver = "await new Promise(() => setInterval(() => undefined, 1000));";

async function run(
  args: readonly string[],
  signals: readonly NodeJS.Signals[],
  ready: (output: string) => boolean,
): Promise<{ code: number | null; stderr: string; seconds: number }> {
  const child = spawn(process.execPath, args, { env: { ...process.env, HOME: "nonexistent" } });
  let [output, stderr] = ["", ""];
  child.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
  const isReady = new Promise<void>((done) =>
    child.stdout.on("data", (chunk: Buffer) => {
      output += String(chunk);
      if (ready(output)) done();
    }),
  );
  const ended = once(child, "exit") as Promise<[number | null]>;
  await Promise.race([isReady, ended]);
  const start = performance.now();
  for (const signal of signals) {
    child.kill(signal);
    // Two signals of a moment may arrive as one.
    await Promise.race([new Promise((done) => setTimeout(done, 300)), ended]);
  }
  const [code] = await ended;
  return { code, stderr, seconds: (performance.now() - start) / 1000 };
}

describe("a command that is stopped", () => {
  it.each<[string, string, number, NodeJS.Signals[], number]>([
    ["ends once it has cleaned up", cleans, 60_000, ["SIGINT"], 130],
    ["ends by SIGTERM", cleans, 60_000, ["SIGTERM"], 143],
    ["ends by SIGHUP", cleans, 60_000, ["SIGHUP"], 129],
    ["is ended where it hangs", forEver, 200, ["SIGINT"], 130],
    ["is ended where it hangs, by SIGTERM", forEver, 200, ["SIGTERM"], 143],
    ["is ended at once by a second signal", forEver, 60_000, ["SIGINT", "SIGINT"], 130],
    ["keeps the code of the first signal", forEver, 60_000, ["SIGTERM", "SIGINT"], 143],
  ])("%s", async (_, hang, graceMs, signals, expected) => {
    const args = ["--input-type=module-typescript", "-e", program(hang, graceMs)];
    const { code, stderr, seconds } = await run(args, signals, (output) => output.includes("hanging"));
    expect([code, stderr]).toEqual([expected, ""]);
    expect(seconds).toBeLessThan(20);
  });
});

describe("strata", () => {
  let silent: Server;
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "strata-signals-"));
    silent = createServer(() => undefined).listen(0, "127.0.0.1");
    await once(silent, "listening");
  });
  afterAll(async () => {
    silent.close();
    await rm(dir, { recursive: true, force: true });
  });

  const main = new URL("main.ts", import.meta.url).pathname;
  const address = (): string => `127.0.0.1:${(silent.address() as { port: number }).port}`;

  it.each<[NodeJS.Signals, number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("stops waiting for a registry by %s, and says so", async (signal, expected) => {
    const asked = once(silent, "connection");
    const child = spawn(process.execPath, [
      main,
      "build",
      `oci://${address()}/a:1`,
      "--insecure",
      "-o",
      join(dir, "out"),
    ]);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
    const ended = once(child, "exit");
    await Promise.race([asked, ended]);
    child.kill(signal);
    const [code] = (await ended) as [number | null];
    expect([code, stderr]).toEqual([expected, expect.stringContaining("[Aborted]")]);
  });

  it("says that standard output is full", async () => {
    const child = spawn("/bin/sh", ["-c", `"${process.execPath}" "${main}" --help > /dev/full`]);
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += String(chunk)));
    const [code] = (await once(child, "exit")) as [number | null];
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: standard output cannot be written: .*ENOSPC/)]);
  });
});
