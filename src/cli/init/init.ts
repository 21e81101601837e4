import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { parseAllDocuments } from "yaml";
import { defaultLimits } from "../../config.ts";
import { parseObject } from "../../pipeline/spec.ts";
import { CodedError, messageOf } from "../../errors.ts";
import { findReferrers, meaningOf, type Referrer } from "../../explore/referrers.ts";
import { formatReference } from "../../oci/reference.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import { sourceOf } from "../html/build-model.ts";
import type { Naming } from "../html/model.ts";
import { chooseSpec } from "./choice.ts";
import { initManifests, type InitFacts } from "./manifest.ts";
import { openSource, sourceHelp, sourceOptions, type OpenedSource } from "../source.ts";
import { resolveNamed } from "../../tags/resolve.ts";

const help = `
strata init looks at an artifact and writes the ArtifactRepository for it, with comments, and the Kustomization or HelmRelease
that consumes it where the content is known to be for one. Only manifests are downloaded.

Usage:
  strata init oci://HOST/REPOSITORY[:TAG][@DIGEST] [-o FILE]
  strata init oci-layout://PATH[:TAG] [-o FILE]

Where nothing has to be chosen, no selector is written. Where something has, the first candidate is chosen, and the others
stand beside it as comments.

Flags:
${sourceHelp}
  -n, --namespace NAME               of the objects; default: default
  --name NAME                        of the objects; default: the last part of the repository
  --interval DURATION                default: 10m
  -o FILE                            where to write; a file that is there already is left alone. Default, and -: standard output

Examples:
  strata init oci://ghcr.io/org/product:1.0.0 -n apps -o product.yaml
  strata init oci://ghcr.io/org/product:1.0.0 | kubectl apply -f -
`;

const options = {
  ...sourceOptions,
  namespace: { type: "string", short: "n", default: "default" },
  name: { type: "string" },
  interval: { type: "string", default: "10m" },
  o: { type: "string", short: "o" },
} as const;

export const init: Command = { summary: "Write the ArtifactRepository for an artifact", help, options, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [text, ...others] = positionals;
  if (text === undefined || others.length > 0) throw new UsageError("strata init takes one reference");
  const insecure = values.insecure ?? false;
  const source = await openSource(text, { insecure, caFile: values["ca-file"] }, io);
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
    await write(manifests, values.o, io);
    return 0;
  } finally {
    await source.close();
  }
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

async function write(manifests: string, path: string | undefined, io: CommandIO): Promise<void> {
  if (path === undefined || path === "-") {
    io.stdout.write(manifests);
    return;
  }
  try {
    await writeFile(path, manifests, { flag: "wx" });
  } catch (error) {
    throw new CodedError("StorageFailed", `${path} cannot be written: ${messageOf(error)}`, { cause: error });
  }
}
