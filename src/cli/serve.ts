import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cliDefaults } from "../config.ts";
import { aborted } from "../http/abort.ts";
import { codeOf, messageOf } from "../errors.ts";
import { startStandalone } from "../reconciler/standalone.ts";
import { parseListenAddress } from "../serve/listen.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import type { Flags } from "./flags/flag.ts";
import { type FlagValues, parseOnlyFlags } from "./flags/flags.ts";
import { flagsHelp } from "./flags/help.ts";
import { askFrom, openRegistry } from "./source.ts";
import { plain } from "./terminal.ts";
import { publicRootOf, trustFlags } from "./trust.ts";

const flags = {
  file: { type: "string", short: "f", takes: "DIR", help: "directory of manifests" },
  listen: {
    type: "string",
    takes: "ADDRESS",
    default: cliDefaults.serve.address,
    help: `where to serve the artifacts (default ${cliDefaults.serve.address})`,
  },
  "oci-listen": {
    type: "string",
    takes: "ADDRESS",
    help: "where to serve them as a read-only OCI registry (default: nowhere)",
  },
  storage: { type: "string", takes: "DIR", help: "where to keep them (default: a temporary directory)" },
  concurrent: {
    type: "string",
    takes: "N",
    default: cliDefaults.serve.concurrent,
    help: `how many are reconciled at once (default ${cliDefaults.serve.concurrent})`,
  },
  ...trustFlags,
} as const satisfies Flags;

const help = `
strata serve reconciles the ArtifactRepositories in a directory, without a cluster, and serves their artifacts.

Usage:
  strata serve -f DIR [--listen ADDRESS] [--oci-listen ADDRESS] [--storage DIR]

The directory holds manifests of ArtifactRepositories and of the Secrets that they name; changes take effect at once.
Where an object names no Secret, Docker's credentials are used.

Flags:
${flagsHelp(flags)}

Example:
  strata serve -f config/samples
  curl -O http://127.0.0.1:9090/artifactrepository/default/flux-app/latest.tar.gz
`;

export const serve: Command = {
  summary: "Reconcile a directory of manifests and serve the artifacts",
  help,
  options: flags,
  run,
};

type Values = FlagValues<typeof flags>;

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const values = parseOnlyFlags(flags, args);
  if (values.file === undefined) throw new UsageError("strata serve needs -f DIR");
  const concurrent = parseConcurrent(values.concurrent);
  for (const name of ["listen", "oci-listen"] as const) checkAddress(name, values[name]);
  const temporary = values.storage === undefined ? await mkdtemp(join(tmpdir(), "strata-serve-")) : undefined;
  try {
    await serveUntilStopped({ values, dir: values.file, storage: values.storage ?? temporary!, concurrent }, io);
    return 0;
  } catch (error) {
    // Stopped while it started: that, too, was asked for.
    if (io.signal.aborted && codeOf(error) === "Aborted") return 0;
    throw error;
  } finally {
    if (temporary !== undefined) await rm(temporary, { recursive: true, force: true });
  }
}

function parseConcurrent(value: string): number {
  const concurrent = Number(value);
  if (Number.isInteger(concurrent) && concurrent >= 1 && concurrent <= 100) return concurrent;
  throw new UsageError(`--concurrent is "${value}"; write a number from 1 to 100`);
}

/** Before anything is read. @throws UsageError */
function checkAddress(flag: string, address: string | undefined): void {
  try {
    if (address !== undefined) parseListenAddress(address);
  } catch (error) {
    throw new UsageError(`--${flag}: ${messageOf(error)}`);
  }
}

interface Job {
  readonly values: Values;
  readonly dir: string;
  readonly storage: string;
  readonly concurrent: number;
}

async function serveUntilStopped({ values, dir, storage, concurrent }: Job, io: CommandIO): Promise<void> {
  const { registry, credentials } = openRegistry(io);
  const say = (text: string): void => void io.stdout.write(`${plain(text)}\n`);
  try {
    const standalone = await startStandalone(
      {
        dir,
        storage,
        address: values.listen,
        ociAddress: values["oci-listen"],
        registry,
        publicRoot: await publicRootOf(values, io, io.signal),
        ask: askFrom(io),
        ownCredentials: credentials,
        concurrent,
        onProblem: (message) => say(`! ${message}`),
        onEvent: ({ namespace, name }, type, message) =>
          say(`${type === "Normal" ? "✓" : "✗"} ${namespace}/${name}: ${message}`),
        log: () => undefined,
      },
      io.signal,
    );
    say(`serving http://${standalone.servers.advertised}/artifactrepository/NAMESPACE/NAME/latest.tar.gz`);
    if (standalone.servers.oci) say(`serving oci://${standalone.servers.oci.address}/NAMESPACE/NAME`);
    await aborted(io.signal);
    await standalone.stop();
  } finally {
    await registry.close();
  }
}
