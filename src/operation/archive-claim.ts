import { titleKey } from "../oci/annotations.ts";
import type { Content } from "../archive/sniff.ts";
import { CodedError, codeOf, messageOf, type ErrorCode } from "../errors.ts";
import type { Layer } from "../oci/types.ts";
import { titleOf } from "./file-name.ts";

/** The annotation of a directory that oras has packed (oras-go, content/file). */
const unpackKey = "io.deis.oras.content.unpack";

const archiveType = /(?:^|[./+-])(?:tar|tgz|zip)(?:[.+](?:gz|gzip|zst|zstd|bz2|bzip2|xz))?$/;
/** One file under a compression, such as `application/vnd.example.jsonl+gzip`. */
const compressedFileType = /\+(?:gzip|zstd)$/;
const archiveName = /\.(?:tar|tgz|taz|tbz2?|txz|tzst|zip|tar\.[a-z0-9]+)$/i;
const anyExtension = /[^/]\.[A-Za-z0-9]{1,12}$/;

/**
 * What ExtractAll takes a layer for: what its first bytes say, but for a zip file under the name of a file, such as `tool.jar`.
 * @param name of the file that the layer would be; undefined where neither the layout nor a title gives one
 * @throws NotAnArchive where it is meant to be an archive and cannot be read as one
 */
export function contentOf(layer: Layer, found: Content, name: string | undefined): Content {
  if (found.archive === "zip" && name !== undefined && anyExtension.test(name) && !archiveName.test(name))
    return { archive: "none", begins: undefined };
  if (found.archive === "none" && isMeantAsArchive(layer, found.begins, name)) throw notAnArchive(layer, found);
  return found;
}

function isMeantAsArchive({ descriptor }: Layer, begins: string | undefined, name: string | undefined): boolean {
  const type = descriptor.mediaType.toLowerCase().split(";")[0]!.trim();
  const saysType = archiveType.test(type);
  if (descriptor.annotations?.[unpackKey] === "true") return true;
  // oras gives the type of a tar to any file that it is given no type for.
  if (name !== undefined && anyExtension.test(name))
    return archiveName.test(name) || (saysType && begins !== undefined);
  return saysType || (begins !== undefined && !compressedFileType.test(type));
}

/** The error for a layer that is to be extracted and cannot be, with what to write instead. */
export function notAnArchive(layer: Layer, found: Content): CodedError {
  const { digest, mediaType } = layer.descriptor;
  const begins = found.archive === "none" ? found.begins : undefined;
  const what =
    begins === undefined
      ? "is a single file, no tar or zip, so there is nothing to extract"
      : begins === "tar"
        ? "begins like a tar, but its first header has a wrong checksum"
        : `begins like ${begins}, but what is compressed is not a tar`;
  return new CodedError("NotAnArchive", `layer ${digest} (${mediaType.slice(0, 120)}) ${what}; ${asFile(layer)}`, {
    details: { suggestion: suggestion(layer) },
  });
}

/** Errors that say what is wrong with the bytes of an archive. */
const aboutBytes: ReadonlySet<ErrorCode> = new Set(["ArchiveInvalid", "ArchiveUnsupported"]);

/** The same error, with the layer it is about and with what to write if the archive is wanted as it is. */
export function unreadable(layer: Layer, error: unknown): unknown {
  const code = codeOf(error);
  if (!aboutBytes.has(code)) return error;
  return new CodedError(code, `layer ${layer.descriptor.digest}: ${messageOf(error)}; ${asFile(layer)}`, {
    cause: error,
    details: { suggestion: suggestion(layer) },
  });
}

function asFile(layer: Layer): string {
  const { mediaType, annotations } = suggestion(layer).layerSelector;
  const chosen = [
    ...(mediaType === undefined ? [] : [`  mediaType: ${JSON.stringify(mediaType)}`]),
    ...Object.entries(annotations ?? {}).map(([key, value]) => `  annotations: {${key}: ${JSON.stringify(value)}}`),
  ];
  return ["to publish it as the file that it is, write", "layerSelector:", ...chosen, "  operation: Copy"].join("\n");
}

/** Copy of this layer, as far as its type and title tell it from the others of its manifest. */
function suggestion(layer: Layer): {
  layerSelector: { operation: "Copy"; mediaType?: string; annotations?: Readonly<Record<string, string>> };
} {
  const { descriptor, node } = layer;
  const title = titleOf(layer);
  const isQuotable = (text: string): boolean => !/[\p{C}]/u.test(text) && text.length <= 256;
  if (node.manifest.layers.length < 2 || !isQuotable(`${descriptor.mediaType}${title ?? ""}`))
    return { layerSelector: { operation: "Copy" } };
  return {
    layerSelector: {
      mediaType: descriptor.mediaType,
      ...(title !== undefined && { annotations: { [titleKey]: title } }),
      operation: "Copy",
    },
  };
}
