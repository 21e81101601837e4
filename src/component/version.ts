/** Between the prefix of an OCM repository and the name of a component (ocm-spec, storage backend OCI, "Component Repository Mapping"). */
const componentSegment = "component-descriptors/";
const buildSubstitute = ".build-";
/** ocm-spec's relaxed semantic version; other tags are aliases such as `latest`. */
const versionPattern =
  /^v?(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*)){0,2}(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

/** Tags cannot hold `+` (ocm-spec, storage backend OCI, "Tag and Version Mapping Rules"). */
export function tagOfVersion(version: string): string {
  return version.replace("+", buildSubstitute);
}

export function versionOfTag(tag: string): string {
  return tag.replace(buildSubstitute, "+");
}

/** The version that a tag names; undefined for an alias. */
export function statedVersion(tag: string): string | undefined {
  const version = versionOfTag(tag);
  return versionPattern.test(version) ? version : undefined;
}

/** What a repository is by its name: `PREFIX/component-descriptors/COMPONENT`. `prefix` ends with a slash, or is empty. */
export interface ComponentLocation {
  readonly prefix: string;
  readonly component: string;
}

/** @param repository `team/ocm/component-descriptors/fx.example/app` */
export function locationOf(repository: string): ComponentLocation | undefined {
  const at = `/${repository}`.indexOf(`/${componentSegment}`);
  if (at < 0) return undefined;
  return { prefix: repository.slice(0, at), component: repository.slice(at + componentSegment.length) };
}

export function repositoryOf(prefix: string, component: string): string {
  return `${prefix}${componentSegment}${component}`;
}
