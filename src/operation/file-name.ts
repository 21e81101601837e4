import { titleKey } from "../oci/annotations.ts";
import { hexOf } from "../oci/digest.ts";
import { formatPlatform } from "../oci/platform.ts";
import type { Layer, ManifestNode, Platform } from "../oci/types.ts";
import { compressionOf, type Content } from "../archive/sniff.ts";
import type { OperationOptions } from "./operation.ts";
import { expandTemplate, safePath, type TemplateValues } from "./template.ts";

/**
 * The title annotation of a layer (OCI image-spec v1.1, annotations.md); undefined where it has none, or an empty one.
 */
export function titleOf(layer: Layer): string | undefined {
  return layer.descriptor.annotations?.[titleKey] || undefined;
}

type NameOptions = Pick<OperationOptions, "filename" | "nameOf" | "stem" | "tag" | "repository">;

/**
 * Path of the file that a raw layer becomes: the template, the known layout's name, the title, or one made of the
 * repository and the media type.
 * @param ext with its dot, see `extensionOf`
 * @param isOnly whether the repository's name is enough to tell the file from others
 * @throws InvalidTemplate
 */
export function fileNameOf(layer: Layer, ext: string, options: NameOptions, isOnly = true): string {
  if (options.filename !== undefined) return expandTemplate(options.filename, layerValues(layer, ext, options));
  const known = options.nameOf?.(layer, options) ?? titleOf(layer);
  if (known !== undefined) return safePath(known, `the name of layer ${layer.descriptor.digest}`);
  if (options.stem !== undefined)
    return safePath(
      options.stem.endsWith(ext) ? options.stem : `${options.stem}${ext}`,
      `the name of ${layer.descriptor.digest}`,
    );
  return `${options.repository.slice(options.repository.lastIndexOf("/") + 1)}${isOnly ? "" : `-${layer.ordinal}`}${ext}`;
}

/** Directory of a layer under LayerPerDir. @throws InvalidTemplate */
export function layerDirectory(layer: Layer, options: NameOptions): string {
  if (options.filename !== undefined)
    return expandTemplate(options.filename, layerValues(layer, extensionOf(layer.descriptor.mediaType), options));
  return safePath(titleOf(layer) ?? String(layer.ordinal), `the title of layer ${layer.descriptor.digest}`);
}

/** Directory of a manifest under ManifestPerDir. @throws InvalidTemplate */
export function manifestDirectory(node: ManifestNode, options: NameOptions): string {
  if (options.filename !== undefined) return expandTemplate(options.filename, manifestValues(node, options));
  const title = node.effectiveAnnotations[titleKey];
  const platform = platformOf(node);
  // BuildKit's attestations are all for `unknown/unknown`.
  const isStated = platform !== undefined && !platform.split("/").every((part) => part === "unknown");
  const name = title || (isStated && platform.replaceAll("/", "-")) || hexOf(node.descriptor.digest).slice(0, 12);
  return safePath(name, `the title of manifest ${node.descriptor.digest}`);
}

function layerValues(layer: Layer, ext: string, options: NameOptions): TemplateValues {
  const { digest, annotations } = layer.descriptor;
  return {
    ...manifestValues(layer.node, options),
    title: titleOf(layer),
    offset: layer.ordinal < 0 ? "config" : String(layer.ordinal),
    digest,
    hex: hexOf(digest),
    ext,
    annotation: (key) => own(annotations, key) ?? own(layer.node.effectiveAnnotations, key),
  };
}

function manifestValues(node: ManifestNode, { tag, repository }: NameOptions): TemplateValues {
  const { digest } = node.descriptor;
  return {
    tag,
    repository,
    title: node.effectiveAnnotations[titleKey],
    digest,
    hex: hexOf(digest),
    platform: platformOf(node),
    artifactType: node.effectiveType,
    annotation: (key) => own(node.effectiveAnnotations, key),
  };
}

function platformOf(node: ManifestNode): string | undefined {
  const { platform } = node.descriptor;
  return platform && formatPlatform(shortPlatform(platform));
}

function shortPlatform({ os, architecture, variant }: Platform): Platform {
  return { os, architecture, ...(variant && { variant }) };
}

/** As a message names it. */
export function printablePlatform(platform: Platform): string {
  return formatPlatform(shortPlatform(platform))
    .replace(/[^\w./-]/g, "?")
    .slice(0, 80);
}

function own(annotations: Readonly<Record<string, string>> | undefined, key: string): string | undefined {
  return annotations !== undefined && Object.hasOwn(annotations, key) ? annotations[key] : undefined;
}

const bySubtype: Readonly<Record<string, string>> = {
  "text/plain": ".txt",
  "text/markdown": ".md",
  "application/octet-stream": ".bin",
  "application/x-yaml": ".yaml",
  "application/javascript": ".js",
};
const archiveSuffix = /(?:^|[.+])(?:tar|gz|gzip|tgz|zst|zstd|zip)$/;

/**
 * Extension, with its dot, for a file of this media type. `+json` gives `.json`; what the type says about archives
 * counts only where `content`, told by the first bytes, agrees.
 */
export function extensionOf(mediaType: string, content?: Content, head?: Buffer): string {
  if (content !== undefined && content.archive !== "none") return archiveExtension(content);
  const type = mediaType.toLowerCase().split(";")[0]!.trim();
  const known = bySubtype[type];
  if (known !== undefined) return known;
  const inner = /^(.*)\+(gzip|zstd)$/.exec(type);
  if (inner !== null && !archiveSuffix.test(inner[1]!)) return compressedFile(inner[1]!, inner[2]!);
  if (archiveSuffix.test(type)) return content === undefined ? typedArchive(type) : compressedExtension(head);
  const suffix =
    /(?:\+|^(?:application|text)\/|\.)(json|jsonl|yaml|yml|xml|toml|wasm|rego|txt|html|css|csv|cue|gguf|safetensors|spdx|prov|sig|pem)(?:\.v\d[\w.]*)?$/.exec(
      type,
    )?.[1];
  return suffix === undefined ? compressedExtension(head) : `.${suffix}`;
}

/** `application/vnd.example.jsonl+gzip` is a .jsonl.gz. */
function compressedFile(innerType: string, compression: string): string {
  const inner = extensionOf(innerType);
  return `${inner === ".bin" ? "" : inner}${compression === "gzip" ? ".gz" : ".zst"}`;
}

function archiveExtension(content: Content): string {
  if (content.archive !== "tar") return ".zip";
  return content.compression === "gzip" ? ".tar.gz" : content.compression === "zstd" ? ".tar.zst" : ".tar";
}

/** Not an archive, but perhaps one compressed file. */
function compressedExtension(head: Buffer | undefined): string {
  const compression = head === undefined ? "none" : compressionOf(head);
  return compression === "gzip" ? ".gz" : compression === "zstd" ? ".zst" : ".bin";
}

function typedArchive(type: string): string {
  if (type.endsWith("zip") && !type.endsWith("gzip")) return ".zip";
  const isTar = /tar|layer/.test(type);
  if (/(?:gz|gzip|tgz)$/.test(type)) return isTar || type.endsWith("tgz") ? ".tar.gz" : ".gz";
  if (/(?:zst|zstd)$/.test(type)) return isTar ? ".tar.zst" : ".zst";
  return ".tar";
}
