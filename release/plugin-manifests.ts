import { stringify } from "yaml";

const repository = "https://github.com/strata-dev/strata";
const summary = "Select layers from nested OCI artifacts, and see what is in them";

export interface ArchiveFile {
  readonly name: string;
  /** Its file that is run. */
  readonly program: string;
  readonly sha256: string;
}

/** What is offered for one platform, in Go's words. */
export interface Archive {
  readonly os: "linux" | "darwin" | "windows";
  readonly arch: "amd64" | "arm64";
  readonly flux: ArchiveFile;
  readonly krew: ArchiveFile;
}

/** Of `strata-linux-x64` or `strata-windows-x64.exe`. @throws Error for any other name */
export function platformOf(file: string): Pick<Archive, "os" | "arch"> {
  const [, os, arch] = /^strata-(linux|darwin|windows)-(x64|arm64)(?:\.exe)?$/.exec(file) ?? [];
  if (os === undefined) throw new Error(`dist/bin holds ${file}, which is not one of the binaries`);
  return { os: os as Archive["os"], arch: arch === "x64" ? "amd64" : "arm64" };
}

const urlOf = (version: string, { name }: ArchiveFile): string => `${repository}/releases/download/v${version}/${name}`;

/** An entry of Flux's plugin catalogue (cli.fluxcd.io/v1beta1, https://pkg.go.dev/github.com/fluxcd/flux2/v2/pkg/plugin). */
export function fluxManifest(version: string, archives: readonly Archive[]): string {
  const platforms = archives.map(({ os, arch, flux }) => ({
    os,
    arch,
    url: urlOf(version, flux),
    checksum: `sha256:${flux.sha256}`,
  }));
  return stringify({
    apiVersion: "cli.fluxcd.io/v1beta1",
    kind: "Plugin",
    name: "strata",
    description: summary,
    homepage: repository,
    source: repository,
    bin: "flux-strata",
    versions: [{ version, platforms }],
  });
}

/** An entry of krew's index (https://krew.sigs.k8s.io/docs/developer-guide/plugin-manifest/). */
export function krewManifest(version: string, archives: readonly Archive[]): string {
  const platforms = archives.map(({ os, arch, krew }) => ({
    selector: { matchLabels: { os, arch } },
    uri: urlOf(version, krew),
    sha256: krew.sha256,
    bin: krew.program,
    files: [
      { from: krew.program, to: "." },
      { from: "LICENSE", to: "." },
    ],
  }));
  return stringify({
    apiVersion: "krew.googlecontainertools.github.com/v1alpha2",
    kind: "Plugin",
    metadata: { name: "strata" },
    spec: {
      version: `v${version}`,
      homepage: repository,
      shortDescription: summary,
      description:
        "Draws, builds and verifies nested OCI artifacts, and shows the ArtifactRepositories of a cluster.\n",
      platforms,
    },
  });
}
