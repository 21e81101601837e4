import { CodedError } from "../errors.ts";
import { hexOf } from "../oci/digest.ts";
import type { Digest } from "../oci/types.ts";
import type { Owner } from "./store.ts";

const kindPattern = /^[A-Za-z][A-Za-z0-9]{0,62}$/;
const label = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const namespacePattern = new RegExp(`^${label}$`);
// Names of custom resources are DNS subdomains (RFC 1123).
const namePattern = new RegExp(`^(?=.{1,253}$)${label}(?:\\.${label})*$`);
const filePattern = /^(?:[a-f0-9]{64}|[a-f0-9]{128})\.tar\.gz$/;

/** The name under which the server finds the current artifact; there is no such file. */
export const latestName = "latest.tar.gz";

/** A path below the root of the storage, every part of which was checked. */
export interface ArtifactPath {
  readonly owner: Owner;
  /** `<kind>/<namespace>/<name>` */
  readonly directory: string;
  /** `<hex>.tar.gz` or `latest.tar.gz` */
  readonly file: string;
}

/**
 * The directory of an owner below the root of the storage: `<kind in lower case>/<namespace>/<name>`.
 * @throws InvalidSpec for names that Kubernetes would not accept either
 */
export function ownerDirectory(owner: Owner): string {
  const { kind, namespace, name } = owner;
  if (kindPattern.test(kind) && namespacePattern.test(namespace) && namePattern.test(name))
    return `${kind.toLowerCase()}/${namespace}/${name}`;
  const found = `${kind}/${namespace}/${name}`.slice(0, 300);
  throw new CodedError(
    "InvalidSpec",
    `${JSON.stringify(found)} is not a kind, a namespace and a name; namespaces are DNS labels, names DNS subdomains, both in lower case`,
  );
}

/** Files are named by their own digest, so that what a path names never changes. */
export function artifactFile(digest: Digest): string {
  return `${hexOf(digest)}.tar.gz`;
}

/** The digest that an artifact's file is named by. */
export function digestOfFile(file: string): Digest {
  const hex = file.slice(0, file.indexOf("."));
  return hex.length === 64 ? `sha256:${hex}` : `sha512:${hex}`;
}

/** Whether a name below an owner's directory is one of `artifactFile`. */
export function isArtifactFile(file: string): boolean {
  return filePattern.test(file);
}

/** The owner that a directory below the root of the storage belongs to; undefined where it is not of our making. */
export function ownerOfDirectory(directory: string): Owner | undefined {
  const [kind = "", namespace = "", name = "", ...rest] = directory.split("/");
  const ours =
    rest.length === 0 &&
    kind === kind.toLowerCase() &&
    kindPattern.test(kind) &&
    namespacePattern.test(namespace) &&
    namePattern.test(name);
  return ours ? { kind, namespace, name } : undefined;
}

/** A path below the root of the storage, taken apart; undefined where it cannot name an artifact. */
export function parseArtifactPath(path: string): ArtifactPath | undefined {
  const slash = path.lastIndexOf("/");
  const directory = path.slice(0, Math.max(slash, 0));
  const file = path.slice(slash + 1);
  const owner = ownerOfDirectory(directory);
  return owner !== undefined && (file === latestName || isArtifactFile(file)) ? { owner, directory, file } : undefined;
}
