import { CodedError } from "../../errors.ts";
import { parsePlatform } from "../../oci/platform.ts";
import { formatReference, namesVersion, type Reference, tagOf } from "../../oci/reference.ts";
import type { Descriptor } from "../../oci/types.ts";
import { selectManifests } from "../../select/select.ts";
import { defaultLimits } from "../../config.ts";
import { resolveNamed } from "../../tags/resolve.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, outputFlag, printAnswer } from "../output.ts";
import { type OpenedSource, openSource, sourceFlags } from "../source.ts";
import { inFlags } from "../suggested-flags.ts";
import { copyAllTags } from "./all-tags.ts";
import { copyGraph, type Job } from "./graph.ts";
import { allTagsText, doneText } from "./text.ts";

const flags = {
  referrers: {
    type: "boolean",
    help: "copy signatures, SBOMs and whatever else refers to what is copied, too",
    otherNames: ["recursive", "include-referrers", "digest-tags"],
  },
  "all-tags": { type: "boolean", help: "copy every tag of the source; neither reference has a tag or digest then" },
  platform: {
    type: "string",
    takes: "OS/ARCH[/VARIANT]",
    help: "of an index only the manifest for this platform; the copy is that manifest, with its own digest",
    otherNames: ["platforms"],
  },
  "dry-run": { type: "boolean", help: "say what would be sent; nothing is written" },
  "source-insecure": {
    type: "boolean",
    help: "plain HTTP with the source",
    otherNames: ["from-plain-http", "src-tls-verify"],
  },
  "target-insecure": {
    type: "boolean",
    help: "plain HTTP with the target",
    otherNames: ["to-plain-http", "dest-tls-verify"],
  },
  ...sourceFlags,
  output: outputFlag,
} as const satisfies Flags;

const help = `
strata copy copies an artifact, or an index with everything below it, between registries and image layouts on disk.
Blobs are streamed; what the target has already is not sent, and within one registry blobs are mounted.

Usage:
  strata copy SOURCE TARGET
  strata copy --all-tags SOURCE TARGET

SOURCE and TARGET are oci://HOST/REPOSITORY[:TAG][@DIGEST] or oci-layout://PATH[:TAG][@DIGEST]. Without a tag the target gets
the source's.

Flags:
${flagsHelp(flags)}

Examples:
  strata copy oci://ghcr.io/org/product:1.4.0 oci-layout://product --referrers
  strata copy oci-layout://product:1.4.0 oci://registry.internal/org/product --referrers
  strata copy --all-tags --dry-run oci://ghcr.io/org/product oci://registry.internal/org/product
`;

type Values = FlagValues<typeof flags>;

export const copy: Command = { summary: "Copy an artifact between registries and layouts", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const [from, to] = positionals;
  if (from === undefined || to === undefined || positionals.length > 2)
    throw new UsageError("strata copy takes a source and a target");
  const open = async (text: string, insecure: boolean | undefined): Promise<OpenedSource> =>
    await openSource(text, { insecure: values.insecure ?? insecure, caFile: values["ca-file"] }, io);
  const source = await open(from, values["source-insecure"]);
  try {
    const target = await open(to, values["target-insecure"]);
    try {
      const job = { source, target, referrers: values.referrers ?? false, dryRun: values["dry-run"] ?? false };
      return await (values["all-tags"] === true ? everyTag(job, values, io) : one(job, values, io));
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

async function one(job: Job, values: Values, io: CommandIO): Promise<number> {
  const { source, target } = job;
  const resolved = await resolveNamed(source.repository, source.reference, "read", io.signal);
  const root = values.platform === undefined ? resolved : await forPlatform(job, resolved, values.platform, io.signal);
  const wanted = target.reference.digest;
  if (wanted !== undefined && wanted !== root.digest)
    throw new UsageError(`the source is ${root.digest}, not ${wanted}; a copy has the digest of its source`);
  const tag = target.reference.tag ?? (wanted === undefined ? tagOf(source.reference) : undefined);
  const counts = await copyGraph(job, { root, tag }, io);
  const copied: Reference = { ...target.reference, ...(tag !== undefined && { tag }), digest: root.digest };
  const done = {
    source: formatReference(source.reference),
    target: formatReference(copied),
    digest: root.digest,
    ...(job.dryRun && { dryRun: true }),
    ...counts,
  };
  printAnswer(io, formatOf(values.output), { text: () => doneText(done, io.out), data: done, names: [done.target] });
  return 0;
}

/** Of all flags that choose manifests, a copy has this one alone. */
function aboutPlatform(error: unknown, platform: string): unknown {
  if (!(error instanceof CodedError)) return error;
  const { code, message, cause, details } = error;
  const said = message.replace(/the choice of manifests \([^)]*\)/, `--platform ${platform}`);
  return new CodedError(code, said, { cause, ...(details && { details }) });
}

/** The manifest of an index for one platform; a manifest is taken as it is. @throws UsageError, NoManifestMatch, … */
async function forPlatform(job: Job, root: Descriptor, platform: string, signal: AbortSignal): Promise<Descriptor> {
  try {
    parsePlatform(platform);
  } catch {
    throw new UsageError(`--platform is "${platform}"; write OS/ARCH[/VARIANT], such as linux/arm64/v8`);
  }
  const { repository } = job.source;
  const request = { root, repository, indexSelector: { platform }, limits: defaultLimits, signal };
  const nodes = await selectManifests({ ...request, layerSelector: undefined }).catch((error: unknown) => {
    throw aboutPlatform(inFlags(error), platform);
  });
  return nodes[0]!.descriptor;
}

async function everyTag(job: Job, values: Values, io: CommandIO): Promise<number> {
  const named = [job.source, job.target].find(({ reference }) => namesVersion(reference));
  if (named !== undefined)
    throw new UsageError(`--all-tags takes repositories; ${formatReference(named.reference)} names one version`);
  if (values.platform !== undefined)
    throw new UsageError("--all-tags copies every tag as it is; leave --platform out, or copy one tag");
  const done = await copyAllTags(job, io);
  printAnswer(io, formatOf(values.output), {
    text: () => allTagsText(done, io.out),
    data: done,
    names: done.tags.map(({ target }) => target),
  });
  return done.failed.length === 0 ? 0 : 1;
}
