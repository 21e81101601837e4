import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliEnvironment, proxyFromEnv, registryDefaults } from "../src/config.ts";
import { runCommand } from "../src/cli/run.ts";
import { noTerminal } from "../src/cli/screen.ts";
import { askOutside } from "../src/registry/ask.ts";
import { RegistryClient } from "../src/registry/client.ts";
import { startRegistry } from "../src/testing/registry/registry.ts";
import { startStandalone } from "../src/reconciler/standalone.ts";
import { describeObjects } from "./describe.ts";

/** The host that the samples name; the demo's registry takes its place. */
const sampleHost = "registry.strata.local:5000";
const timeoutMs = 60_000;
const samples = new URL("../config/samples/", import.meta.url);
const keep = process.argv.includes("--keep");
const say = (text = ""): void => void process.stdout.write(`${text}\n`);

const stopped = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.once(name, () => stopped.abort(new DOMException(`stopped by ${name}`, "AbortError")));

/** The samples, with the address of the demo's registry in them. */
async function copySamples(to: string, host: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await cp(samples, to, { recursive: true });
  for (const name of await readdir(to)) {
    const path = join(to, name);
    await writeFile(path, (await readFile(path, "utf8")).replaceAll(sampleHost, host));
  }
}

async function printTree(reference: string): Promise<void> {
  say(`\n$ strata tree ${reference} --insecure\n`);
  const code = await runCommand(["tree", reference, "--insecure"], {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    terminals: { stdout: noTerminal, stderr: noTerminal },
    environment: { ...cliEnvironment({}), dockerConfigDir: join(work, "no-docker") },
    signal: stopped.signal,
  });
  if (code !== 0) throw new Error(`strata tree ended with ${code}`);
}

const work = await mkdtemp(join(tmpdir(), "strata-demo-"));
const registry = await startRegistry({ fixtures: true });
const client = new RegistryClient({ ...registryDefaults, environmentProxy: proxyFromEnv({}) });
try {
  say(
    `A registry with sample artifacts, made by flux, helm, timoni, oras, kyverno and cosign, runs at ${registry.host}.`,
  );
  await printTree(`oci://${registry.host}/product:1.0.0`);
  await copySamples(join(work, "manifests"), registry.host);
  const standalone = await startStandalone(
    {
      dir: join(work, "manifests"),
      storage: join(work, "storage"),
      address: "127.0.0.1:0",
      ociAddress: "127.0.0.1:0",
      registry: client,
      ask: askOutside(registryDefaults),
      ownCredentials: undefined,
      concurrent: 4,
      onProblem: (problem) => say(`! ${problem}`),
      onEvent: () => undefined,
      log: () => undefined,
    },
    stopped.signal,
  );
  await standalone.settled(AbortSignal.any([stopped.signal, AbortSignal.timeout(timeoutMs)]));
  say("\nReconciled config/samples without a cluster:\n");
  const failed = await describeObjects(standalone.list(), say);
  if (keep) {
    say(`\nServing until interrupted; manifests: ${join(work, "manifests")}`);
    await new Promise((resolve) => stopped.signal.addEventListener("abort", resolve, { once: true }));
  }
  await standalone.stop();
  if (failed.length > 0) throw new Error(`not ready: ${failed.join(", ")}`);
  say(keep ? "" : "\nEvery artifact is one tar.gz that Flux can read. `npm run demo -- --keep` goes on serving them.");
} finally {
  await client.close();
  await registry.close();
  await rm(work, { recursive: true, force: true });
}
