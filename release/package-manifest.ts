/** What package.json of the checkout says that the published one says too. */
export interface OwnManifest {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
}

/** What the package has in its folders. */
export const places = {
  program: "bin/strata.js",
  modules: "library",
  types: "types",
} as const;

const repository = "github.com/strata-dev/strata";

/**
 * The published package.json. It has no dependencies: everything is in the bundles, so nothing of somebody else's is installed
 * with it, and no SDK of a cloud for who only reads a manifest.
 */
export function packageManifest(name: string, own: OwnManifest): object {
  const { version, description, license, engines } = own;
  const entry = (module: string): object => ({
    types: `./${places.types}/library/${module}.d.ts`,
    default: `./${places.modules}/${module}.js`,
  });
  return {
    name,
    version,
    description,
    keywords: ["oci", "registry", "flux", "gitops", "kubernetes"],
    license,
    homepage: `https://${repository}#readme`,
    bugs: `https://${repository}/issues`,
    repository: { type: "git", url: `git+https://${repository}.git` },
    type: "module",
    engines,
    bin: { strata: places.program },
    exports: { "./oci": entry("oci"), "./registry": entry("registry"), "./package.json": "./package.json" },
    // The declarations name Node's streams and buffers.
    peerDependencies: { "@types/node": ">=24" },
    peerDependenciesMeta: { "@types/node": { optional: true } },
    publishConfig: { access: "public" },
  };
}
