import { parseArgs } from "node:util";
import { defaultLimits } from "../config.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import { type CopyCounts, GraphCopy } from "../copy/graph.ts";
import { formatBytes, parseOutputFormat, printData } from "./output.ts";
import { Progress } from "./progress.ts";
import { type OpenedSource, openSource } from "./source.ts";
import { plain } from "./terminal.ts";
import { resolveNamed } from "../tags/resolve.ts";

const help = `
strata copy copies an artifact, or an index with everything below it, between registries and image layouts on disk.
Blobs are streamed; what the target has already is not sent, and within one registry blobs are mounted.

Usage:
  strata copy SOURCE TARGET

SOURCE and TARGET are oci://HOST/REPOSITORY[:TAG][@DIGEST] or oci-layout://PATH[:TAG][@DIGEST]. Without a tag the target gets
the source's.

Flags:
  --referrers                        copy signatures, SBOMs and whatever else refers to what is copied, too
  --source-insecure                  plain HTTP with the source
  --target-insecure                  plain HTTP with the target
  --insecure                         plain HTTP with both
  --ca-file FILE                     certificates (PEM) to trust besides the system's
  --output json|yaml                 print what was done for a program

Examples:
  strata copy oci://ghcr.io/org/product:1.4.0 oci-layout://product --referrers
  strata copy oci-layout://product:1.4.0 oci://registry.internal/org/product --referrers
`;

const options = {
  referrers: { type: "boolean" },
  insecure: { type: "boolean" },
  "source-insecure": { type: "boolean" },
  "target-insecure": { type: "boolean" },
  "ca-file": { type: "string" },
  output: { type: "string" },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof options; allowPositionals: true }>>["values"];

export const copy: Command = { summary: "Copy an artifact between registries and layouts", help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const format = parseOutputFormat(values.output);
  const [from, to] = positionals;
  if (from === undefined || to === undefined || positionals.length > 2)
    throw new UsageError("strata copy takes a source and a target");
  const open = async (text: string, insecure: boolean | undefined): Promise<OpenedSource> =>
    await openSource(
      text,
      { insecure: (values.insecure ?? false) || (insecure ?? false), caFile: values["ca-file"] },
      io,
    );
  const source = await open(from, values["source-insecure"]);
  const target = await open(to, values["target-insecure"]);
  try {
    const done = await transfer(source, target, values, io);
    if (format === "text") io.stdout.write(textOf(done));
    else printData(io.stdout, format, done);
    return 0;
  } finally {
    await Promise.all([source.close(), target.close()]);
  }
}

interface Done extends CopyCounts {
  readonly source: string;
  readonly target: string;
  readonly digest: string;
}

async function transfer(source: OpenedSource, target: OpenedSource, values: Values, io: CommandIO): Promise<Done> {
  const root = await resolveNamed(source.repository, source.reference, "read", io.signal);
  const wanted = target.reference.digest;
  if (wanted !== undefined && wanted !== root.digest)
    throw new UsageError(`the source is ${root.digest}, not ${wanted}; a copy has the digest of its source`);
  const tag = target.reference.tag ?? (wanted === undefined ? tagOf(source.reference) : undefined);
  const progress = new Progress(io);
  const graph = new GraphCopy({
    source: source.repository,
    target: target.repository,
    targetIsLayout: target.reference.kind === "layout",
    mountFrom: mountName(source.reference, target.reference),
    referrers: values.referrers ?? false,
    limits: defaultLimits,
    onBytes: (descriptor, bytes) =>
      progress.add(descriptor.digest, descriptor.digest.slice(0, 19), descriptor.size, bytes),
  });
  try {
    await graph.copy(root, tag, io.signal);
  } finally {
    progress.clear();
  }
  const copied: Reference = { ...target.reference, ...(tag !== undefined && { tag }), digest: root.digest };
  return {
    source: formatReference(source.reference),
    target: formatReference(copied),
    digest: root.digest,
    ...graph.counts,
  };
}

function tagOf({ tag, digest }: Reference): string | undefined {
  return tag ?? (digest === undefined ? "latest" : undefined);
}

function mountName(source: Reference, target: Reference): string | undefined {
  if (source.kind !== "registry" || target.kind !== "registry" || source.registry !== target.registry) return undefined;
  return source.repository === target.repository ? undefined : source.repository;
}

function textOf(done: Done): string {
  const blobs = [
    `${formatBytes(done.bytes)} sent`,
    ...(done.mounted > 0 ? [`${done.mounted} mounted`] : []),
    ...(done.present > 0 ? [`${done.present} there already`] : []),
  ];
  const lines = [
    `copied     ${plain(done.target)}`,
    `manifests  ${done.manifests}${done.referrers > 0 ? `, of which ${done.referrers} ${done.referrers === 1 ? "refers" : "refer"} to others` : ""}`,
    `blobs      ${done.blobs}: ${blobs.join(", ")}`,
    ...(done.undistributable > 0 ? [`left out   ${done.undistributable} layers that may not be redistributed`] : []),
  ];
  return `${lines.join("\n")}\n`;
}
