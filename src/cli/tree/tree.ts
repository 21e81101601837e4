import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { defaultLimits } from "../../config.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { explore, isSelection, selectedLayers, type Explored } from "../../explore/explore.ts";
import { treeOf, type TreeEntry } from "../../explore/tree.ts";
import { formatReference } from "../../oci/reference.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { parseOutputFormat, printData, type OutputFormat } from "../output.ts";
import { openSource, sourceHelp, sourceOptions } from "../source.ts";
import { plain } from "../terminal.ts";
import { pageOf } from "../html/page.ts";
import { componentLines } from "./component-text.ts";
import { outcomeLines, treeLines } from "./text.ts";
import { resolveNamed } from "../../tags/resolve.ts";

const help = `
strata tree draws everything below a reference: indexes, manifests, layers, and what refers to them; of an OCM component version also its
resources, references and signatures. Only manifests and component descriptors are downloaded.

Usage:
  strata tree oci://HOST/REPOSITORY[:TAG][@DIGEST]
  strata tree oci-layout://PATH[:TAG]

What is marked with * is what strata build takes without any selector; where it would have to guess, the lines to add are shown.

Flags:
${sourceHelp}
  --no-referrers                     leave out signatures, SBOMs and whatever else refers to a manifest
  --html FILE                        write a page for a browser, on which picking makes an ArtifactRepository; it needs no network
  --output json|yaml                 print everything that is known, for a program

The JSON output is one object:
  reference, digest                  what was asked for, and what it resolved to
  tree                               the root: {kind, digest, mediaType, size, artifactType?, platform?, annotations?}, and
    kind index                       manifests: [the same again], referrers
    kind manifest                    layout?, config, layers: [{offset, digest, mediaType, size, title?, annotations?, selected}],
                                     referrers: [{digest, mediaType, size, artifactType?, meaning?, tag?, annotations?}], subject?, selected
    kind repeated, unread, foreign   shown before; not readable: {problem: {code, message}}; neither manifest nor index
  component                          null, or what the OCM component version consists of: {name, version, provider,
    resources                        [{name, version, extraIdentity?, type, relation, access?: {type, …}, digest?}]
    references                       [{name, version, extraIdentity?, componentName, digest?}]
    signatures}                      [{name, algorithm, digest, issuer?}], as stated; or {problem: {code, message}}
  selection                          {operation, layout, profile, note?, layerCount}, or null
  refusal                            null, or why nothing is taken without a selector: {code, message, suggestion?}
  problems                           sentences about what is missing

Examples:
  strata tree oci://ghcr.io/org/product:1.0.0
  strata tree oci://localhost:5000/team/app --insecure --output json
  strata tree oci://ghcr.io/org/product:1.0.0 --html product.html
`;

const options = {
  ...sourceOptions,
  "no-referrers": { type: "boolean" },
  html: { type: "string" },
  output: { type: "string" },
} as const;

export const tree: Command = {
  summary: "Draw the indexes, manifests, layers and signatures of an artifact",
  help,
  options,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const format = parseOutputFormat(values.output);
  const [text, ...others] = positionals;
  if (text === undefined || others.length > 0) throw new UsageError("strata tree takes one reference");
  if (values.html !== undefined && format !== "text")
    throw new UsageError("strata tree writes a page or prints data; pass --html or --output, not both");
  const insecure = values.insecure ?? false;
  const source = await openSource(text, { insecure, caFile: values["ca-file"] }, io);
  try {
    const root = await resolveNamed(source.repository, source.reference, "read", io.signal);
    const explored = await explore(source.repository, root, {
      referrers: values["no-referrers"] !== true,
      limits: defaultLimits,
      signal: io.signal,
    });
    if (values.html === undefined) print(io, explored, formatReference(source.reference), format);
    else await writePage(values.html, pageOf(explored, source.reference, insecure), io);
    return 0;
  } finally {
    await source.close();
  }
}

async function writePage(path: string, page: string, io: CommandIO): Promise<void> {
  if (path === "-") {
    io.stdout.write(page);
    return;
  }
  try {
    await writeFile(path, page);
  } catch (error) {
    throw new CodedError("StorageFailed", `${path} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}

function print(io: CommandIO, explored: Explored, reference: string, format: OutputFormat): void {
  const drawn = treeOf(explored.root, {
    graph: explored.graph,
    referrers: explored.referrers.bySubject,
    layers: selectedLayers(explored),
  });
  if (format === "text") printText(io, explored, reference, drawn);
  else printData(io.stdout, format, document(explored, reference, drawn));
}

function printText(io: CommandIO, explored: Explored, reference: string, drawn: TreeEntry): void {
  const lines = [
    ...treeLines(reference, drawn),
    ...(explored.component === undefined ? [] : componentLines(explored.component)),
    "",
    ...outcomeLines(explored),
    ...explored.referrers.problems.map(plain),
  ];
  io.stdout.write(`${lines.join("\n")}\n`);
}

function document(
  { root, component, outcome, referrers }: Explored,
  reference: string,
  drawn: TreeEntry,
): Record<string, unknown> {
  const selection = isSelection(outcome)
    ? {
        operation: outcome.operation,
        layout: outcome.layout,
        profile: outcome.profile ?? null,
        ...(outcome.note !== undefined && { note: outcome.note }),
        layerCount: outcome.layers.length,
      }
    : null;
  return {
    reference,
    digest: root.digest,
    tree: drawn,
    component: component ?? null,
    selection,
    refusal: isSelection(outcome) ? null : outcome,
    problems: referrers.problems,
  };
}
