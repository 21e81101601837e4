import { parseArgs } from "node:util";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { readManifestText } from "../manifests.ts";
import { migrateDocuments, type MigratedObject } from "./documents.ts";
import { plain } from "../terminal.ts";

const help = `
strata migrate turns Flux's OCIRepository manifests into ArtifactRepository manifests.

Usage:
  strata migrate -f FILE > NEW.yaml
  kubectl get ocirepositories -A -o yaml | strata migrate -f - > NEW.yaml

OCIRepositories of every version are read, and so are manifests of the older proposal, with image, tag, filterTags
and policy in the spec. Several documents and lists are allowed. Comments are kept; documents of other kinds are passed
through as they are. What could not be carried over, and what consumers have to change, is said on stderr. A
manifest that would not be accepted is an error, and then nothing is written.

Flags:
  -f FILE     the manifests, YAML or JSON; - is standard input

Examples:
  strata migrate -f clusters/production/sources.yaml > sources-new.yaml
`;

const options = { file: { type: "string", short: "f" } } as const;

export const migrate: Command = {
  summary: "Turn OCIRepository manifests into ArtifactRepositories",
  help,
  options,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values } = parseArgs({ args: [...args], options });
  if (values.file === undefined) throw new UsageError("strata migrate needs -f FILE; - is standard input");
  const { yaml, objects } = migrateDocuments(await readManifestText(values.file, io.stdin));
  io.stdout.write(yaml);
  io.stderr.write(report(objects));
  return 0;
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

function objectLines({ title, key, migrated, notes }: MigratedObject): string[] {
  const head = migrated ? `${title}: now ArtifactRepository ${key}` : `${title}: not changed`;
  const consumers = migrated
    ? [
        "in Kustomizations (sourceRef) and HelmReleases (chartRef) that read it, write kind: ExternalArtifact; the name stays",
      ]
    : [];
  return [plain(head), ...[...notes, ...consumers].map((note) => `  ${plain(note)}`)];
}
