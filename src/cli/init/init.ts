import { parseAllDocuments } from "yaml";
import { cliDefaults, defaultLimits } from "../../config.ts";
import { parseObject } from "../../pipeline/spec.ts";
import { findReferrers, meaningOf, type Referrer } from "../../explore/referrers.ts";
import { formatReference } from "../../oci/reference.ts";
import { resolveNamed } from "../../tags/resolve.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { sourceOf } from "../html/build-model.ts";
import type { Naming } from "../html/model.ts";
import { chooseSpec } from "./choice.ts";
import { initManifests, type InitFacts } from "./manifest.ts";
import type { Flags } from "../flags/flag.ts";
import { parseFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { shellQuoted, writeMade } from "../written.ts";
import { notAForm } from "../output.ts";
import { openSource, sourceFlags, type OpenedSource } from "../source.ts";

const flags = {
  ...sourceFlags,
  namespace: {
    type: "string",
    short: "n",
    takes: "NAME",
    default: cliDefaults.namespace,
    help: `of the objects; default: ${cliDefaults.namespace}`,
  },
  name: { type: "string", takes: "NAME", help: "of the objects; default: the last part of the repository" },
  interval: {
    type: "string",
    takes: "DURATION",
    default: cliDefaults.interval,
    help: `default: ${cliDefaults.interval}`,
  },
  o: {
    type: "string",
    short: "o",
    takes: "FILE",
    help: "where to write; a file that is there already is left alone. Default, and -: standard output",
    otherNames: ["output", "out", "file"],
  },
} as const satisfies Flags;

const help = `
strata init looks at an artifact and writes the ArtifactRepository for it, with comments, and the Kustomization or HelmRelease
that consumes it where the content is known to be for one. Only manifests are downloaded.

Usage:
  strata init oci://HOST/REPOSITORY[:TAG][@DIGEST] [-o FILE]
  strata init oci-layout://PATH[:TAG] [-o FILE]

Where nothing has to be chosen, no selector is written. Where something has, the first candidate is chosen, and the others
stand beside it as comments.

Flags:
${flagsHelp(flags)}

Examples:
  strata init oci://ghcr.io/org/product:1.0.0 -n apps -o product.yaml
  strata init oci://ghcr.io/org/product:1.0.0 | kubectl apply -f -
`;

export const init: Command = { summary: "Write the ArtifactRepository for an artifact", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseFlags(flags, args);
  const [text, ...others] = positionals;
  if (text === undefined || others.length > 0) throw new UsageError("strata init takes one reference");
  notAForm(values.o, "without -o, the YAML goes to standard output");
  const source = await openSource(text, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  const { insecure } = source;
  try {
    const { url, ref, name } = sourceOf(source.reference, insecure);
    const naming = { name: values.name ?? name, namespace: values.namespace, interval: values.interval };
    checkNames(naming);
    const root = await resolveNamed(source.repository, source.reference, "read", io.signal);
    const choice = await chooseSpec(root, {
      repository: source.repository,
      place: source.reference.kind === "registry" ? source.reference : undefined,
      open: source.open,
      limits: defaultLimits,
      signal: io.signal,
    });
    const { bySubject } = await findReferrers(source.repository, [root.digest], io.signal);
    const signedBy = signerOf(bySubject.get(root.digest) ?? []) ?? choice.signedBy;
    const manifests = initManifests({
      reference: formatReference(source.reference),
      url,
      hasUrl: isOnRegistry(source),
      insecure,
      ref,
      naming,
      choice,
      signedBy,
    });
    // Whatever was written has to be taken by the controller, such as the interval.
    parseObject(parseAllDocuments(manifests)[0]?.toJS());
    await writeMade({ text: manifests, path: values.o, flag: "wx", next: nextSteps(values.o, naming) }, io);
    return 0;
  } finally {
    await source.close();
  }
}

function nextSteps(path: string | undefined, { namespace }: Naming): string[] {
  return [
    `apply it: kubectl apply -f ${shellQuoted(path ?? "-")}`,
    `see what comes of it: strata get -n ${namespace} --watch`,
  ];
}

function isOnRegistry({ reference }: OpenedSource): boolean {
  return reference.kind === "registry";
}

function checkNames({ name, namespace }: Naming): void {
  if (!/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name))
    throw new UsageError(`--name is "${name}"; write lower-case letters, digits, - and .`);
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace))
    throw new UsageError(`--namespace is "${namespace}"; write lower-case letters, digits and -`);
}

function signerOf(referrers: readonly Referrer[]): InitFacts["signedBy"] {
  const meanings = new Set(referrers.map(meaningOf));
  if (meanings.has("Sigstore bundle") || meanings.has("cosign signature")) return "cosign";
  return meanings.has("Notation signature") ? "notation" : undefined;
}
