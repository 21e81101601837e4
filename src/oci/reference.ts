import { CodedError } from "../errors.ts";
import { printable } from "../text/printable.ts";
import { parseDigest } from "./digest.ts";
import type { Digest } from "./types.ts";

/** A repository on a registry, with what was written behind it. */
export interface RegistryReference {
  readonly kind: "registry";
  /** `host[:port]`, as written, lower case; `[::1]:5000` for IPv6. */
  readonly registry: string;
  readonly repository: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An OCI image layout on disk (OCI image-spec, image-layout.md). */
export interface LayoutReference {
  readonly kind: "layout";
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

export type Reference = RegistryReference | LayoutReference;

/** What names one version of a repository. A digest decides; a tag beside it only says under which name that was found. */
export interface Version {
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

// distribution-spec v1.1, "Pulling manifests".
const repositoryPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;
const hostPattern = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::[0-9]{1,5})?$/;
const maxRepositoryLength = 255;

/** Whether a registry takes it for a tag (distribution-spec v1.1, "Pulling manifests"). */
export function isTag(text: string): boolean {
  return tagPattern.test(text);
}

/** The digest that `text` is; undefined for a tag. @throws InvalidReference, InvalidDigest where it is neither */
export function digestIn(text: string): Digest | undefined {
  if (text.includes(":")) return parseDigest(text);
  if (isTag(text)) return undefined;
  throw new CodedError("InvalidReference", `"${printable(text, 130)}" is neither a tag nor a digest`);
}

/** Whether a tag or a digest is named at all. */
export function namesVersion({ tag, digest }: Version): boolean {
  return tag !== undefined || digest !== undefined;
}

/** The tag where no version is named. */
export const defaultTag = "latest";

/** What a repository is asked for: the digest, else the tag, else `latest`. */
export function askedFor({ tag, digest }: Version): string {
  return digest ?? tag ?? defaultTag;
}

/** The tag by which a version is asked for; undefined where a digest alone is. */
export function tagOf({ tag, digest }: Version): string | undefined {
  return tag ?? (digest === undefined ? defaultTag : undefined);
}

/** A version as revisions, messages and files write it: `tag@digest`, or the one of them that there is. */
export function formatVersion({ tag, digest }: Version): string {
  return [tag, digest].filter((part) => part !== undefined).join("@");
}

/**
 * `oci://host[:port]/repository[:tag][@digest]`, the same without the scheme, or `oci-layout://PATH[:tag][@digest]`.
 * @throws InvalidReference, InvalidDigest
 */
export function parseReference(text: string): Reference {
  if (text.startsWith("oci-layout://")) return parseLayout(text, text.slice("oci-layout://".length));
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\//.exec(text);
  if (scheme !== null && scheme[1] !== "oci") {
    throw invalid(
      text,
      `starts with ${scheme[0]}; write oci://registry/repository (plain HTTP is asked for by insecure, not by the scheme)`,
    );
  }
  return parseRegistry(text, scheme === null ? text : text.slice(scheme[0].length));
}

/** The reference as it is written in messages: `oci://host/repository:tag@digest`. */
export function formatReference(reference: Reference): string {
  const name =
    reference.kind === "layout"
      ? `oci-layout://${reference.path}`
      : `oci://${reference.registry}/${reference.repository}`;
  return `${name}${reference.tag === undefined ? "" : `:${reference.tag}`}${reference.digest === undefined ? "" : `@${reference.digest}`}`;
}

function parseRegistry(text: string, rest: string): RegistryReference {
  const slash = rest.indexOf("/");
  if (slash <= 0) throw invalid(text, "has no repository; write oci://registry/repository[:tag][@sha256:…]");
  const registry = rest.slice(0, slash).toLowerCase();
  if (registry.includes("@"))
    throw invalid(redact(text), "carries credentials; put them into a Secret or Docker's config.json");
  if (!hostPattern.test(registry)) throw invalid(text, `names the registry "${registry}"; write host or host:port`);
  const { name, tag, digest } = splitVersion(text, rest.slice(slash + 1));
  if (name.length > maxRepositoryLength || !repositoryPattern.test(name)) {
    throw invalid(
      text,
      `names the repository "${name.slice(0, 80)}"; repositories are lower-case letters, digits and . _ - / (at most ${maxRepositoryLength})`,
    );
  }
  return { kind: "registry", registry, repository: name, ...optional(tag, digest) };
}

function parseLayout(text: string, rest: string): LayoutReference {
  const { name, tag, digest } = splitVersion(text, rest);
  if (name === "" || name.includes("\0")) throw invalid(text, "names no directory; write oci-layout://PATH:TAG");
  return { kind: "layout", path: name, ...optional(tag, digest) };
}

function splitVersion(
  text: string,
  rest: string,
): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = rest.indexOf("@");
  const digest = at < 0 ? undefined : parseDigest(rest.slice(at + 1));
  const named = at < 0 ? rest : rest.slice(0, at);
  const colon = named.lastIndexOf(":");
  if (colon < 0 || colon < named.lastIndexOf("/")) return { name: named, tag: undefined, digest };
  const tag = named.slice(colon + 1);
  if (!isTag(tag))
    throw invalid(text, `has the tag "${tag.slice(0, 80)}"; tags are letters, digits and . _ -, at most 128`);
  return { name: named.slice(0, colon), tag, digest };
}

function optional(tag: string | undefined, digest: Digest | undefined): { tag?: string; digest?: Digest } {
  return { ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function redact(text: string): string {
  return text.replace(/^([^/]*\/\/)?[^/@]*@/, "$1***@");
}

function invalid(text: string, problem: string): CodedError {
  return new CodedError("InvalidReference", `"${text.slice(0, 300)}" ${problem}`);
}
