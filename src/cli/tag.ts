import { parseArgs } from "node:util";
import { isTag } from "../oci/reference.ts";
import { type Command, type CommandIO, UsageError } from "./command.ts";
import { parseOutputFormat, printData } from "./output.ts";
import { openSource, sourceHelp, sourceOptions, type OpenedSource } from "./source.ts";
import { plain } from "./terminal.ts";
import { fetchDocument, resolveOptional } from "../copy/transfer.ts";
import { resolveNamed } from "../tags/resolve.ts";

const help = `
strata tag points further tags at what a reference names. Nothing is downloaded but the manifest, and no tags are listed.

Usage:
  strata tag oci://HOST/REPOSITORY[:TAG][@DIGEST] ALIAS…
  strata tag oci-layout://PATH[:TAG][@DIGEST] ALIAS…

Flags:
${sourceHelp}
  --output json|yaml                 print what was done for a program

Examples:
  strata tag oci://ghcr.io/org/app:1.4.0 stable production
  strata tag oci://ghcr.io/org/app@sha256:0f3a… known-good
`;

const options = { ...sourceOptions, output: { type: "string" } } as const;

export const tag: Command = { summary: "Point further tags at an artifact", help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const format = parseOutputFormat(values.output);
  const [text, ...aliases] = positionals;
  if (text === undefined || aliases.length === 0)
    throw new UsageError("strata tag takes a reference and one or more aliases");
  const wrong = aliases.find((alias) => !isTag(alias));
  if (wrong !== undefined)
    throw new UsageError(`"${wrong}" is no tag; tags are letters, digits and . _ -, at most 128`);
  const source = await openSource(text, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  try {
    const { digest, moved } = await setTags(source, aliases, io.signal);
    if (format === "text")
      io.stdout.write(
        aliases
          .map(
            (alias) =>
              `${plain(source.repository.name)}:${alias} ${moved.includes(alias) ? "→" : "already"} ${digest}\n`,
          )
          .join(""),
      );
    else printData(io.stdout, format, { repository: source.repository.name, digest, tags: aliases, moved });
    return 0;
  } finally {
    await source.close();
  }
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
