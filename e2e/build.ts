import { execFile } from "node:child_process";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** The real programs that the suites run. */
export const binaryNames = [
  "etcd",
  "kube-apiserver",
  "kubectl",
  "source-controller",
  "kustomize-controller",
  "registry",
  "crane",
  "cosign",
] as const;
export type BinaryName = (typeof binaryNames)[number];

interface GoModule {
  readonly module: string;
  readonly version: string;
  /** Package of the command, below the module. */
  readonly command: string;
  /** Its go.mod replaces this, which `go get` of it as a dependency would not do. */
  readonly replace?: string;
}

const kubernetes = { module: "k8s.io/kubernetes", version: "v1.36.3" };
/** Both Flux controllers replace this module in their go.mod. */
const goDigest =
  "github.com/opencontainers/go-digest=github.com/opencontainers/go-digest@v1.0.1-0.20220411205349-bde1400a84be";

const modules: Readonly<Record<BinaryName, GoModule>> = {
  "kube-apiserver": { ...kubernetes, command: "/cmd/kube-apiserver" },
  kubectl: { ...kubernetes, command: "/cmd/kubectl" },
  etcd: { module: "go.etcd.io/etcd/server/v3", version: "v3.6.8", command: "" },
  "source-controller": {
    module: "github.com/fluxcd/source-controller",
    version: "v1.9.1",
    command: "",
    replace: goDigest,
  },
  "kustomize-controller": {
    module: "github.com/fluxcd/kustomize-controller",
    version: "v1.9.5",
    command: "",
    replace: goDigest,
  },
  registry: { module: "github.com/distribution/distribution/v3", version: "v3.1.2", command: "/cmd/registry" },
  crane: { module: "github.com/google/go-containerregistry", version: "v0.22.1", command: "/cmd/crane" },
  cosign: { module: "github.com/sigstore/cosign/v3", version: "v3.1.3", command: "/cmd/cosign" },
};

/** The version that is built where no binary is at hand. */
export function versionOf(name: BinaryName): string {
  return modules[name].version;
}

const run = promisify(execFile);

/** Builds the command in a Go module of its own, at the pinned version, and puts it at `to`. */
export async function buildBinary(name: BinaryName, to: string): Promise<void> {
  const from = modules[name];
  process.stderr.write(
    `e2e: building ${name} ${from.version} from ${from.module}; set KUBEBUILDER_ASSETS to a directory that has it to avoid this\n`,
  );
  const dir = `${to}.build-${process.pid}`;
  await mkdir(dir, { recursive: true });
  const go = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run("go", args, {
      cwd: dir,
      env: { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=mod -buildvcs=false" },
      maxBuffer: 64 << 20,
    });
    return stdout;
  };
  try {
    await go("mod", "init", "strata.dev/e2e");
    for (const replace of await replacements(from, go)) await go("mod", "edit", `-replace=${replace}`);
    await go("get", `${from.module}${from.command}@${from.version}`);
    await go("build", "-ldflags", `-s -w ${versionFlags(from)}`, "-o", "binary", `${from.module}${from.command}`);
    await mkdir(dirname(to), { recursive: true });
    await rename(join(dir, "binary"), to);
  } catch (error) {
    throw new Error(`${name} is neither in KUBEBUILDER_ASSETS nor could it be built with Go: ${String(error)}`, {
      cause: error,
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** Kubernetes replaces its staging modules by directories of its own repository, which the module proxy does not serve. */
async function replacements(
  from: GoModule,
  go: (...args: readonly string[]) => Promise<string>,
): Promise<readonly string[]> {
  if (from.module !== kubernetes.module) return from.replace === undefined ? [] : [from.replace];
  const { GoMod } = JSON.parse(await go("mod", "download", "-json", `${from.module}@${from.version}`)) as {
    GoMod: string;
  };
  const staged = (await readFile(GoMod, "utf8")).matchAll(/^\s*(\S+) => \.\/staging\//gm);
  return [...staged].map(([, module]) => `${module}=${module}@${from.version.replace("v1.", "v0.")}`);
}

/** Without these kube-apiserver calls itself v0.0.0-master, which clients cannot parse. */
function versionFlags(from: GoModule): string {
  if (from.module !== kubernetes.module) return "";
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(from.version) ?? [];
  const facts = {
    gitVersion: from.version,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: "clean",
    gitCommit: "0".repeat(40),
    buildDate: "1970-01-01T00:00:00Z",
  };
  return Object.entries(facts)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(" ");
}
