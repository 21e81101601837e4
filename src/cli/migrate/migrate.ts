import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { parseOnlyFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { readManifestText } from "../manifests.ts";
import { migrateDocuments, type MigratedObject } from "./documents.ts";
import { plain } from "../terminal.ts";

const flags = {
  file: {
    type: "string",
    short: "f",
    multiple: true,
    takes: "FILE",
    help: "the manifests, YAML or JSON; - is standard input; may be repeated, and is one file then",
    otherNames: ["filename"],
  },
  consumers: {
    type: "boolean",
    help: "change what names them, too: kind OCIRepository becomes ExternalArtifact in sourceRef, chartRef, sources and the like",
    otherNames: ["rewrite-consumers"],
  },
} as const satisfies Flags;

const help = `
strata migrate turns Flux's OCIRepository manifests into ArtifactRepository manifests.

Usage:
  strata migrate -f FILE [--consumers] > NEW.yaml
  kubectl get ocirepositories -A -o yaml | strata migrate -f - > NEW.yaml

OCIRepositories of every version are read, and so are manifests of the older proposal, with image, tag, filterTags
and policy in the spec. Several documents and lists are allowed. Comments are kept; documents of other kinds are passed
through as they are. What could not be carried over, and what consumers have to change, is said on stderr. A
manifest that would not be accepted is an error, and then nothing is written.

Flags:
${flagsHelp(flags)}

Examples:
  strata migrate -f clusters/production/sources.yaml > sources-new.yaml
  strata migrate -f sources.yaml -f apps.yaml --consumers > all.yaml
`;

export const migrate: Command = {
  summary: "Turn OCIRepository manifests into ArtifactRepositories",
  help,
  options: flags,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const values = parseOnlyFlags(flags, args);
  if (values.file === undefined) throw new UsageError("strata migrate needs -f FILE; - is standard input");
  if (values.file.filter((path) => path === "-").length > 1)
    throw new UsageError("-f - stands twice, and standard input can be read once");
  const texts: string[] = [];
  for (const path of values.file) texts.push(await readManifestText(path, io.stdin));
  const { yaml, objects } = migrateDocuments(joined(texts), { consumers: values.consumers ?? false });
  io.stdout.write(yaml);
  io.stderr.write(report(objects));
  return 0;
}

/** As one file: what does not begin with a marker gets one. */
function joined(texts: readonly string[]): string {
  return texts
    .map((text, at) => {
      const ended = at < texts.length - 1 && !text.endsWith("\n") ? `${text}\n` : text;
      return at === 0 || /^---(?:\s|$)/.test(text.replace(/^\uFEFF/, "")) ? ended : `---\n${ended}`;
    })
    .join("");
}

function report(objects: readonly MigratedObject[]): string {
  const migrated = objects.filter((object) => object.migrated);
  const lines = objects.flatMap(objectLines);
  const closing =
    migrated.length === 0
      ? ["nothing to migrate: the file has no OCIRepository"]
      : [
          "Without layerSelector.mediaType a known layout, such as a chart, is taken as its own tool takes it. All that differs from OCIRepository is in docs/migration.md.",
          "Consumers need Flux 2.7 or later with the feature gate ExternalArtifact=true. Delete the old objects once nothing reads them.",
        ];
  return `${[...lines, ...closing].join("\n")}\n`;
}

function objectLines({ title, key, migrated, rewritten, notes }: MigratedObject): string[] {
  const head = migrated
    ? `${title}: now ArtifactRepository ${key}`
    : `${title}: ${rewritten ? "now reads ExternalArtifacts" : "not changed"}`;
  const consumers = migrated
    ? [
        "in Kustomizations (sourceRef) and HelmReleases (chartRef) that read it, write kind: ExternalArtifact; the name stays",
      ]
    : [];
  return [plain(head), ...[...notes, ...consumers].map((note) => `  ${plain(note)}`)];
}
