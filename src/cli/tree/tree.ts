import { defaultLimits } from "../../config.ts";
import { explore } from "../../explore/explore.ts";
import { formatReference } from "../../oci/reference.ts";
import { resolveNamed } from "../../tags/resolve.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatOf, outputFlag } from "../output.ts";
import { openSource, sourceFlags } from "../source.ts";
import { pageOf } from "../html/page.ts";
import { writeMade } from "../written.ts";
import { printTree } from "./print.ts";

const flags = {
  ...sourceFlags,
  all: {
    type: "boolean",
    help: "every row and annotation, and no line is cut; without it, 60 rows of a kind are shown",
  },
  "no-referrers": {
    type: "boolean",
    help: "leave out signatures, SBOMs and whatever else refers to a manifest",
  },
  html: {
    type: "string",
    takes: "FILE",
    help: "write a page for a browser, on which picking makes an ArtifactRepository; it needs no network",
  },
  output: outputFlag,
} as const satisfies Flags;

const help = `
strata tree draws everything below a reference: indexes, manifests, layers, and what refers to them; of an OCM component version also its
resources, references and signatures. Only manifests and component descriptors are downloaded.

Usage:
  strata tree oci://HOST/REPOSITORY[:TAG][@DIGEST]
  strata tree oci-layout://PATH[:TAG]

What is marked with * is what strata build takes without any selector; where it would have to guess, the lines to add are shown.

Flags:
${flagsHelp(flags)}

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

export const tree: Command = {
  summary: "Draw the indexes, manifests, layers and signatures of an artifact",
  help,
  options: flags,
  run,
};

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const format = formatOf(values.output);
  const [text, ...others] = positionals;
  if (text === undefined || others.length > 0) throw new UsageError("strata tree takes one reference");
  if (values.html !== undefined && format !== "text")
    throw new UsageError("strata tree writes a page or prints data; pass --html or --output, not both");
  const source = await openSource(text, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  try {
    const root = await resolveNamed(source.repository, source.reference, "read", io.signal);
    const explored = await explore(source.repository, root, {
      referrers: values["no-referrers"] !== true,
      limits: defaultLimits,
      signal: io.signal,
    });
    const reference = formatReference(source.reference);
    if (values.html === undefined) printTree(io, explored, { reference, format, all: values.all ?? false });
    else
      await writeMade(
        {
          text: pageOf(explored, source.reference, source.insecure),
          path: values.html,
          flag: "w",
          next: ["open it in a browser and pick: it shows the ArtifactRepository to apply"],
        },
        io,
      );
    return 0;
  } finally {
    await source.close();
  }
}
