import { createReadStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { defaultLimits } from "../../config.ts";
import type { Annotations, Descriptor } from "../../oci/types.ts";
import { askedFor, formatReference } from "../../oci/reference.ts";
import { fluxContentType, singleLayerImage } from "../../store/image-manifest.ts";
import { digestOf } from "../../publish/alias-move.ts";
import { pushImage, toPublishFailed } from "../../publish/push.ts";
import type { SingleLayerImage } from "../../store/store.ts";
import { type Bundle, bundleArchive, bundleFiles } from "./file.ts";
import { createdKey } from "../../oci/annotations.ts";
import { type Command, type CommandIO, UsageError } from "../command.ts";
import type { Flags } from "../flags/flag.ts";
import { type FlagValues, parseOnlyFlags } from "../flags/flags.ts";
import { flagsHelp } from "../flags/help.ts";
import { formatBytes, formatOf, type OutputFormat, outputFlag, printAnswer } from "../output.ts";
import { Progress } from "../progress.ts";
import { type Signed, signManifest } from "../../sign/sign.ts";
import { readSigningKey, type SigningKey } from "../../sign/signing-key.ts";
import { openSource, sourceFlags, type OpenedSource } from "../source.ts";
import { plain } from "../terminal.ts";
import { counted as countedBytes } from "../../copy/transfer.ts";
import { counted } from "../../text/count.ts";
import { fold } from "../../text/fit.ts";
import { leftOutLines } from "../left-out.ts";
import { isArchiveName } from "../../output/write-output.ts";

const flags = {
  file: { type: "string", short: "f", takes: "DIR|FILE", help: "what to push", otherNames: ["path"] },
  to: {
    type: "string",
    short: "t",
    takes: "REFERENCE",
    help: "where to push it; the tag is latest when nothing is said. oci-layout://PATH works too",
    otherNames: ["tag", "target"],
  },
  source: { type: "string", takes: "URL", help: "where the content comes from, such as https://github.com/org/app" },
  revision: {
    type: "string",
    takes: "TEXT",
    help: "what it was made of, such as main@sha1:0f3a…; the digest of the content by default",
  },
  annotation: {
    type: "string",
    multiple: true,
    takes: "KEY=VALUE",
    help: "further annotations; may be repeated",
    otherNames: ["annotations"],
  },
  ignore: {
    type: "string",
    multiple: true,
    takes: "PATTERN",
    help: ".gitignore syntax, instead of the defaults; may be repeated",
    otherNames: ["ignore-paths", "exclude"],
  },
  "media-type": {
    type: "string",
    takes: "TYPE",
    help: "of the layer; Argo CD reads application/vnd.oci.image.layer.v1.tar+gzip",
  },
  "sign-key": {
    type: "string",
    takes: "FILE",
    help: "private key (PEM) to sign with, so that cosign verify --key and spec.verify accept it; an encrypted one takes its password from COSIGN_PASSWORD",
    otherNames: ["key"],
  },
  ...sourceFlags,
  output: outputFlag,
} as const satisfies Flags;

const help = `
strata bundle pushes a directory as an artifact that Flux reads, like flux push artifact. The same content gives the same
digest, and is not sent twice. strata push is the same command.

Usage:
  strata bundle -f DIR|FILE -t oci://HOST/REPOSITORY[:TAG]

A directory or file becomes a tar.gz; a file named .tar.gz or .tgz is pushed as it is. Left out are what .sourceignore
names, else what Flux leaves out by default, and symlinks.

Flags:
${flagsHelp(flags)}

Examples:
  strata bundle -f deploy -t oci://ghcr.io/org/app:1.4.0 --source https://github.com/org/app --revision v1.4.0@sha1:0f3a
  strata bundle -f deploy -t oci://ghcr.io/org/app:1.4.0 --sign-key cosign.key
`;

type Values = FlagValues<typeof flags>;

export const bundle: Command = { summary: "Push a directory as an artifact for Flux", help, options: flags, run };

async function run(args: readonly string[], io: CommandIO): Promise<number> {
  const values = parseOnlyFlags(flags, args);
  const format = formatOf(values.output);
  if (values.file === undefined || values.to === undefined)
    throw new UsageError("strata bundle needs -f DIR|FILE and -t REFERENCE");
  const annotations = parseAnnotations(values);
  const key =
    values["sign-key"] === undefined
      ? undefined
      : await readSigningKey(values["sign-key"], io.environment.signingPassword);
  const target = await openSource(values.to, { insecure: values.insecure, caFile: values["ca-file"] }, io);
  const dir = await mkdtemp(join(tmpdir(), "strata-bundle-"));
  try {
    if (target.reference.digest !== undefined) throw new UsageError("-t takes no digest: it follows from the content");
    const made = isArchiveName(values.file)
      ? await bundleArchive(values.file, request(dir, values, io))
      : await bundleFiles(values.file, request(dir, values, io));
    const image = singleLayerImage(
      made,
      { layerMediaType: values["media-type"] ?? fluxContentType, layerTitle: "" },
      annotationsOf(made, annotations, values),
    );
    const signed = await push({ target, image, path: made.path, key }, io);
    print(io, format, { reference: { ...target.reference, tag: askedFor(target.reference) }, image, made, signed });
    return 0;
  } finally {
    await rm(dir, { recursive: true, force: true });
    await target.close();
  }
}

function request(dir: string, { ignore }: Values, io: CommandIO): Parameters<typeof bundleFiles>[1] {
  return { dir, ignore: ignore?.join("\n"), limits: defaultLimits, signal: io.signal };
}

function parseAnnotations(values: Values): Annotations {
  const pairs = (values.annotation ?? []).map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at < 1) throw new UsageError(`--annotation is "${text}"; write KEY=VALUE`);
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

/** Nothing in them comes from a clock, so that equal content has an equal digest; --annotation may say when it was created. */
function annotationsOf({ contentDigest }: Bundle, given: Annotations, { source, revision }: Values): Annotations {
  return {
    [createdKey]: "1970-01-01T00:00:00Z",
    "org.opencontainers.image.revision": revision ?? contentDigest,
    ...(source !== undefined && { "org.opencontainers.image.source": source }),
    ...given,
  };
}

interface PushJob {
  readonly target: OpenedSource;
  readonly image: SingleLayerImage;
  readonly path: string;
  readonly key: SigningKey | undefined;
}

/** First the artifact, then its signature, then the tag: whoever follows the tag never finds it unsigned. */
async function push({ target, image, path, key }: PushJob, io: CommandIO): Promise<Signed | undefined> {
  const progress = new Progress(io);
  const onBytes = (bytes: number): void =>
    progress.add(image.layer.digest, image.layer.digest.slice(0, 19), image.layer.size, bytes);
  const stored = {
    image,
    openLayer: (offset: number): Readable =>
      countedBytes(createReadStream(path, { start: offset, highWaterMark: 256 * 1024 }), onBytes),
  };
  const what = `pushing ${image.descriptor.digest} to ${target.repository.name}`;
  try {
    await toPublishFailed(what, io.signal, () => pushImage({ repository: target.repository, stored }, io.signal));
    const signed =
      key &&
      (await signManifest(
        target.repository,
        { identity: identityOf(target), digest: image.descriptor.digest },
        key,
        io.signal,
      ));
    await toPublishFailed(what, io.signal, () => setTag(target, image, io.signal));
    return signed;
  } finally {
    progress.clear();
  }
}

/** Whoever names the tag may move it, whatever it pointed at. */
async function setTag(target: OpenedSource, image: SingleLayerImage, signal: AbortSignal): Promise<void> {
  const { repository } = target;
  const tag = askedFor(target.reference);
  if ((await digestOf(repository, tag, signal)) === image.descriptor.digest) return;
  await repository.pushManifest(image.descriptor, image.bytes, tag, signal);
}

/** A path on this machine would be nobody's business. */
function identityOf({ reference }: OpenedSource): string {
  return reference.kind === "registry" ? `${reference.registry}/${reference.repository}` : "";
}

interface Result {
  readonly reference: Parameters<typeof formatReference>[0];
  readonly image: SingleLayerImage;
  readonly made: Bundle;
  readonly signed: Signed | undefined;
}

function print(io: CommandIO, format: OutputFormat, result: Result): void {
  const { reference, image, made, signed } = result;
  const { digest } = image.descriptor;
  const pushed = formatReference({ ...reference, digest });
  const layer: Descriptor = image.layer;
  printAnswer(io, format, {
    text: () => fold(textOf(pushed, result), io.out.columns),
    data: {
      reference: pushed,
      tag: reference.tag,
      digest,
      layer,
      files: made.files ?? null,
      skipped: made.skipped,
      signature: signed ?? null,
    },
    names: [pushed],
  });
}

function textOf(pushed: string, { image, made, signed }: Result): string {
  const lines = [
    `pushed     ${plain(pushed)}`,
    `layer      ${formatBytes(image.layer.size)}${made.files === undefined ? ", as it is" : `, ${counted(made.files, "file")}`}`,
    ...leftOutLines(made.skipped),
    ...(signed === undefined ? [] : [`signed     ${signed.tag}${signed.written ? "" : " (there already)"}`]),
  ];
  return `${lines.join("\n")}\n`;
}
