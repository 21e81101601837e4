import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chown, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { startCluster, type Cluster } from "./cluster.ts";
import { answers, freePort, startServer } from "./server.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("..", import.meta.url));
const packages = ["libc6", "libgcc-s1", "libstdc++6", "ca-certificates"];
const user = 65532;
const types = "application/vnd.oci.image.";

/** Only root may mount and change its root directory, and only Debian has Debian's packages. */
function isPossible(): boolean {
  try {
    execFileSync("unshare", ["--mount", "true"], { stdio: "ignore" });
    execFileSync("apt-get", ["download", "--print-uris", "libc6"], { stdio: "ignore" });
    return process.getuid?.() === 0 && process.arch === "x64";
  } catch {
    return false;
  }
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const workspace = await openWorkspace();

describe.skipIf(!isPossible())("the image, on a base of Debian's packages", () => {
  let cluster: Cluster;
  let rootfs: string;
  let config: { readonly User: string; readonly WorkingDir: string; readonly Entrypoint: readonly string[] };

  beforeAll(async () => {
    cluster = await startCluster(workspace);
    const [base, out] = [await workspace.directory("base"), await workspace.directory("image")];
    await writeBase(base);
    const args = ["--base", `oci-layout://${base}`, "--out", out, "--platform", "linux/amd64"];
    await run(process.execPath, ["release/build-image.ts", ...args], { cwd: root });
    rootfs = await workspace.directory("rootfs");
    config = await unpack(out, rootfs);
  });

  /** A layer of each package, and one with Node where the distroless images have it. */
  async function writeBase(layout: string): Promise<void> {
    const debs = await workspace.directory("debs");
    // What apt downloads as root is else written by its own user.
    await run("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", ...packages], { cwd: debs });
    await mkdir(join(layout, "blobs/sha256"), { recursive: true });
    const put = async (bytes: Buffer, mediaType: string): Promise<Descriptor> => {
      const hex = createHash("sha256").update(bytes).digest("hex");
      await writeFile(join(layout, "blobs/sha256", hex), bytes);
      return { mediaType: types + mediaType, digest: `sha256:${hex}`, size: bytes.length };
    };
    const putJson = async (value: object, mediaType: string): Promise<Descriptor> =>
      await put(Buffer.from(JSON.stringify(value)), mediaType);
    const tars: Buffer[] = [];
    const options = { encoding: "buffer", maxBuffer: 512 * 1024 * 1024 } as const;
    for (const deb of (await readdir(debs)).toSorted())
      tars.push((await run("dpkg-deb", ["--fsys-tarfile", join(debs, deb)], options)).stdout);
    const node = join(root, "node_modules/node/bin");
    tars.push((await run("tar", ["-C", node, "--transform", "s,^,nodejs/bin/,", "-cf", "-", "node"], options)).stdout);
    const layers: Descriptor[] = [];
    for (const tar of tars) layers.push(await put(gzipSync(tar, { level: 1 }), "layer.v1.tar+gzip"));
    const diffIds = tars.map((tar) => `sha256:${createHash("sha256").update(tar).digest("hex")}`);
    const about = { Entrypoint: ["/nodejs/bin/node"] };
    const image = { os: "linux", architecture: "amd64", config: about, rootfs: { type: "layers", diff_ids: diffIds } };
    const manifest = { schemaVersion: 2, config: await putJson(image, "config.v1+json"), layers };
    const entry = {
      ...(await putJson({ ...manifest, mediaType: `${types}manifest.v1+json` }, "manifest.v1+json")),
      annotations: { "org.opencontainers.image.ref.name": "latest" },
    };
    await writeFile(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [entry] }));
    await writeFile(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  /** As a container runtime does: one layer over the other. */
  async function unpack(layout: string, directory: string): Promise<typeof config> {
    const blob = async (digest: string) => await readFile(join(layout, "blobs/sha256", digest.replace("sha256:", "")));
    const json = async (digest: string) => JSON.parse((await blob(digest)).toString()) as never;
    const { manifests } = JSON.parse(await readFile(join(layout, "index.json"), "utf8")) as { manifests: Descriptor[] };
    const index: { manifests: Descriptor[] } = await json(manifests[0]!.digest);
    const manifest: { config: Descriptor; layers: Descriptor[] } = await json(index.manifests[0]!.digest);
    const file = join(await workspace.directory("layers"), "layer.tar");
    for (const { digest } of manifest.layers) {
      await writeFile(file, gunzipSync(await blob(digest)));
      await run("tar", ["-C", directory, "-xpf", file]);
    }
    for (const name of ["data", "tmp"]) await mkdir(join(directory, name), { recursive: true });
    const image: { config: typeof config } = await json(manifest.config.digest);
    return image.config;
  }

  /** What the Deployment asks for: a root file system that is read-only, no capabilities, and two places to write. */
  function confined(data: string, command: readonly string[]): string[] {
    const script = `set -e
mount --bind "$1" "$1"
mount --bind "$2" "$1/data"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount -o remount,bind,ro "$1"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid chroot --userspec="$3" --groups= "$1" "\${@:4}"`;
    return ["--mount", "--", "bash", "-c", script, "bash", rootfs, data, `${user}:${user}`, ...command];
  }

  it("runs the controller read-only, as nobody, against a real API server", async () => {
    expect(config).toMatchObject({ User: `${user}:${user}`, WorkingDir: "/app" });
    const data = await workspace.directory("data");
    const source = await cluster.plane.kubeconfigFor("strata-system", "strata-controller");
    await writeFile(join(data, "kubeconfig"), await readFile(source));
    for (const path of [data, join(data, "kubeconfig")]) await chown(path, user, user);
    const [artifacts, health, metrics] = [await freePort(), await freePort(), await freePort()];
    const flags = [
      "--storage-path=/data",
      `--storage-addr=127.0.0.1:${artifacts}`,
      `--storage-adv-addr=127.0.0.1:${artifacts}`,
      `--health-addr=127.0.0.1:${health}`,
      `--metrics-addr=127.0.0.1:${metrics}`,
      "--events-addr=",
      "--enable-leader-election=false",
    ];
    const server = await startServer({
      name: "image",
      command: "unshare",
      args: confined(data, [...config.Entrypoint, ...flags]),
      env: { KUBECONFIG: "/data/kubeconfig", RUNTIME_NAMESPACE: "strata-system", HOME: "/tmp" },
      logs: workspace.logs,
      ready: () => answers(`http://127.0.0.1:${health}/readyz`),
    });
    workspace.onEnd(() => server.kill());
    const spec = {
      url: `oci://${cluster.registry.host}/flux/app`,
      interval: "1h",
      insecure: true,
      ref: { tag: "1.0.0" },
    };
    await cluster.plane.admin.apply({
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { namespace: "default", name: "imaged" },
      spec,
    });
    const stored = await eventually("the artifact is stored", async () => {
      const files = (await readdir(data, { recursive: true })).filter((name) => /\.(?:tar\.)?t?gz$/.test(name));
      return files.length > 0 ? files : undefined;
    });
    expect(stored.join()).toContain("artifactrepository/default/imaged/");
  });

  it("lets it write nowhere else, and gives it no capability", async () => {
    const script = `
const fs = require("node:fs");
const write = (path) => { try { fs.writeFileSync(path, "x"); return "written"; } catch (error) { return error.code; } };
const status = fs.readFileSync("/proc/self/status", "utf8");
console.log(JSON.stringify({
  writes: ["/data/x", "/tmp/x", "/app/x", "/x", "/etc/x"].map(write),
  uid: process.getuid(), gid: process.getgid(), capabilities: /^CapEff:\\t(.*)$/m.exec(status)?.[1],
}));`;
    const data = await workspace.directory("data-of-script");
    await chown(data, user, user);
    await mkdir(join(rootfs, "proc"), { recursive: true });
    const args = confined(data, [config.Entrypoint[0]!, "-e", script]);
    args[4] = args[4]!.replace("mount -o remount", 'mount -t proc proc "$1/proc"\nmount -o remount');
    const { stdout } = await run("unshare", args);
    expect(JSON.parse(stdout)).toEqual({
      writes: ["written", "written", "EROFS", "EROFS", "EROFS"],
      uid: user,
      gid: user,
      capabilities: "0000000000000000",
    });
  });
});
