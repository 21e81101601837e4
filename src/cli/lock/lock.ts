import { KIND } from "../../../api/v1beta1/constants.ts";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { CodedError } from "../../errors.ts";
import type { ManifestObject } from "../../kube/local/manifest-objects.ts";
import { formatVersion } from "../../oci/reference.ts";
import { resolveRoot } from "../../pipeline/resolve.ts";
import { parseObject } from "../../pipeline/spec.ts";
import type { Verifier } from "../../verify/verifier.ts";
import { sourceFromObject } from "../build/source.ts";
import { takeVerified } from "../build/take-verified.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { parseOnlyFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { readManifests } from "../manifests.ts";
import { plain } from "../terminal.ts";
import { trustFlags, withVerifier } from "../trust.ts";
import { writeMade } from "../written.ts";
import { askedBy, formatLock, keyOf, type Locked, lockPathOf, readLock, staleness } from "./file.ts";

const flags = {
  file: {
    type: "string",
    short: "f",
    takes: "FILE",
    help: "ArtifactRepositories, with the Secrets that they name; the lock is written to FILE.lock",
    otherNames: ["filename"],
  },
  check: {
    type: "boolean",
    help: "only say whether FILE.lock is about what stands in FILE; no registry is asked",
  },
  ...trustFlags,
} as const satisfies Flags;

const help = `
strata lock resolves every ArtifactRepository in a file to a digest, and writes them to a lock file beside it.
strata build -f FILE --locked then takes those digests, whatever has become of the tags. With verify.minAge it is the
newest version that is old enough, as the controller takes it.

Usage:
  strata lock -f FILE
  strata lock -f FILE --check

Flags:
${flagsHelp(flags)}

Exit codes:
  0  written; with --check: up to date
  1  something could not be resolved, and nothing was written; with --check: out of date
  2  the command line is wrong

Examples:
  strata lock -f sources.yaml
  strata lock -f sources.yaml --check && strata build -f sources.yaml --locked -o out/
`;

export const lock: Command = { summary: "Write the digests that references resolve to", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const values = parseOnlyFlags(flags, args);
  const { file, check } = values;
  if (file === undefined) throw new UsageError("strata lock needs -f FILE");
  if (file === "-") throw new UsageError("the lock is written beside the file; name one, not standard input");
  const objects = await readManifests(file, io.stdin);
  const repositories = objects.filter(({ type }) => type.kind === KIND).map(({ object }) => parseObject(object));
  if (repositories.length === 0)
    throw new CodedError("InvalidSpec", `${file} has no object of kind ${KIND}, and there is nothing to lock`);
  if (check === true) return await checkLock(file, repositories, io);
  const entries = new Map<string, Locked>();
  await withVerifier(values, io, async (verifier) => {
    for (const object of repositories) entries.set(keyOf(object), await resolved(objects, object, { io, verifier }));
  });
  const next = [...entries].map(([key, version]) => `${key} ${formatVersion(version)}`);
  await writeMade({ text: formatLock(entries), path: lockPathOf(file), flag: "w", next }, io);
  return 0;
}

async function resolved(
  objects: readonly ManifestObject[],
  object: ArtifactRepository,
  { io, verifier }: { readonly io: CommandIO; readonly verifier: Verifier },
): Promise<Locked> {
  const source = await sourceFromObject(objects, object, io);
  const { signal } = io;
  try {
    const newest = await resolveRoot(source.rule, source.repository, undefined, signal);
    const isAged = object.spec.verify?.minAge !== undefined;
    const { tag, root } = isAged
      ? (await takeVerified(source, newest, { verifier, signal })).taken.common.resolved
      : newest;
    return { ...askedBy(object), ...(tag !== undefined && { tag }), digest: root.digest };
  } finally {
    await source.close();
  }
}

async function checkLock(file: string, objects: readonly ArtifactRepository[], io: CommandIO): Promise<number> {
  const path = lockPathOf(file);
  const found = await readLock(path);
  const keys = new Set(objects.map(keyOf));
  const problems = [
    ...objects.flatMap((object) => {
      const stale = staleness(found, object);
      return stale === undefined ? [] : [`${keyOf(object)} ${stale}`];
    }),
    ...[...found.keys()].filter((key) => !keys.has(key)).map((key) => `${key} is locked, and not in ${file}`),
  ];
  if (problems.length === 0) return 0;
  io.stderr.write([...problems, `Run strata lock -f ${file}`].map((line) => `${plain(line)}\n`).join(""));
  return 1;
}
