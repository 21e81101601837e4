import { resolveOptional } from "../oci/absence.ts";
import { formatReference, isTag } from "../oci/reference.ts";
import { resolveNamed } from "../tags/resolve.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import { parseFlags } from "./flags/flags.ts";
import { flagsHelp } from "./flags/help.ts";
import { formatOf, outputFlag, printAnswer } from "./output.ts";
import { openSource, sourceFlags, type OpenedSource } from "./source.ts";
import { plain } from "./terminal.ts";
import { fetchDocument } from "../copy/transfer.ts";

const flags = { ...sourceFlags, output: outputFlag } as const;

const help = `
strata tag points further tags at what a reference names. Nothing is downloaded but the manifest, and no tags are listed.

Usage:
  strata tag oci://HOST/REPOSITORY[:TAG][@DIGEST] ALIAS…
  strata tag oci-layout://PATH[:TAG][@DIGEST] ALIAS…

Flags:
${flagsHelp(flags)}

Examples:
  strata tag oci://ghcr.io/org/app:1.4.0 stable production
  strata tag oci://ghcr.io/org/app@sha256:0f3a… known-good
`;

export const tag: Command = { summary: "Point further tags at an artifact", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  const [text, ...aliases] = positionals;
  if (text === undefined || aliases.length === 0)
    throw new UsageError("strata tag takes a reference and one or more aliases");
  const wrong = aliases.find((alias) => !isTag(alias));
  if (wrong !== undefined)
    throw new UsageError(`"${wrong}" is not a tag; tags are letters, digits and . _ -, at most 128`);
  const source = await openSource(text, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  try {
    const { digest, moved } = await setTags(source, aliases, io.signal);
    const { name } = source.repository;
    printAnswer(io, format, {
      text: () => aliases.map((alias) => aliasLine(`${name}:${alias}`, moved.includes(alias), digest)).join(""),
      data: { repository: name, digest, tags: aliases, moved },
      names: aliases.map((alias) => formatReference({ ...source.reference, tag: alias, digest: undefined })),
    });
    return 0;
  } finally {
    await source.close();
  }
}

function aliasLine(alias: string, isMoved: boolean, digest: string): string {
  return `${plain(alias)} ${isMoved ? "→" : "already"} ${digest}\n`;
}

async function setTags(
  { reference, repository }: OpenedSource,
  aliases: readonly string[],
  signal: AbortSignal,
): Promise<{ digest: string; moved: readonly string[] }> {
  const descriptor = await resolveNamed(repository, reference, "read", signal);
  const { bytes } = await fetchDocument(repository, descriptor, signal);
  const moved: string[] = [];
  for (const alias of aliases) {
    if ((await resolveOptional(repository, alias, signal))?.digest === descriptor.digest) continue;
    await repository.pushManifest(descriptor, bytes, alias, signal);
    moved.push(alias);
  }
  return { digest: descriptor.digest, moved };
}
