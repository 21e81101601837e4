import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findOptional } from "./binaries.ts";
import { clientsIn, itHas } from "./clients.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { openWorkspace } from "./workspace.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const execute = promisify(execFile);
const workspace = await openWorkspace();
const run = clientsIn(workspace, workspace.dir);
const helm = await findOptional("helm");
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
const platform = `${process.platform}-${process.arch}`;
const env = { PATH: [dirname(process.execPath), process.env["PATH"]].join(delimiter), HOME: workspace.dir };

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image that says where its Node is, as a layout: what a release stands on is not what is tested here. */
async function writeBase(layout: string): Promise<string> {
  await mkdir(join(layout, "blobs/sha256"), { recursive: true });
  const hexOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const put = async (bytes: Buffer, mediaType: string): Promise<Descriptor> => {
    await writeFile(join(layout, "blobs/sha256", hexOf(bytes)), bytes);
    return {
      mediaType: `application/vnd.oci.image.${mediaType}`,
      digest: `sha256:${hexOf(bytes)}`,
      size: bytes.length,
    };
  };
  const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const tar = Buffer.alloc(1024);
  const layers = [await put(gzipSync(tar), "layer.v1.tar+gzip")];
  const rootfs = { type: "layers", diff_ids: [`sha256:${hexOf(tar)}`] };
  const about = { os: "linux", architecture: "amd64", config: { Entrypoint: ["/nodejs/bin/node"] }, rootfs };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = { schemaVersion: 2, mediaType, config: await put(json(about), "config.v1+json"), layers };
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const manifests = [{ ...(await put(json(manifest), "manifest.v1+json")), annotations }];
  await writeFile(join(layout, "index.json"), json({ schemaVersion: 2, manifests }));
  await writeFile(join(layout, "oci-layout"), json({ imageLayoutVersion: "1.0.0" }));
  return layout;
}

/** A release builds everything anew, which other suites are using. @returns a checkout of its own, as this one is now */
async function copyCheckout(): Promise<string> {
  const copy = join(workspace.dir, "checkout");
  await execute("git", ["clone", "--quiet", "--no-checkout", root, copy]);
  const script = 'git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$1"';
  await execute("bash", ["-eo", "pipefail", "-c", script, "bash", copy], { cwd: root });
  await mkdir(join(root, ".cache/node"), { recursive: true });
  await mkdir(join(copy, ".cache"));
  for (const name of ["node_modules", ".cache/node"]) await symlink(join(root, name), join(copy, name));
  return copy;
}

describe.skipIf(helm === undefined || platform !== "linux-x64")("a release", () => {
  let registry: Registry;
  let checkout: string;
  let out: string;
  let files: string;
  const image = (): string => `${registry.host}/strata/strata-controller:v${version}`;

  async function release(args: readonly string[]): Promise<{ readonly stdout: string }> {
    return await execute(process.execPath, ["release/release.ts", ...args], {
      cwd: checkout,
      env,
      maxBuffer: 16 << 20,
    });
  }

  beforeAll(async () => {
    [registry, checkout] = await Promise.all([startRegistry(workspace), copyCheckout()]);
    out = join(workspace.dir, "release");
    files = join(out, "files");
    const base = `oci-layout://${await writeBase(await workspace.directory("base"))}`;
    const made = ["--platform", platform, "--base", base, "--npm-name", "@strata-dev/strata", "--version", version];
    const push = ["--push", `oci://${registry.host}/strata`, "--insecure", "--helm", helm!];
    await release(["--out", out, ...made, ...push]);
    // Half a minute of work; on a busy machine it takes longer.
  }, 300_000);

  it("has all that people download, with checksums that are right", async () => {
    expect(await readdir(files)).toEqual(
      [
        "crds.yaml",
        "flux-plugin.yaml",
        `flux-strata_${version}_linux_amd64.tar.gz`,
        "install.yaml",
        "krew-plugin.yaml",
        `kubectl-strata_${version}_linux_amd64.tar.gz`,
        `strata-chart-${version}.tgz`,
        `strata-${platform}`,
        `strata-npm-${version}.tgz`,
        "strata.cdx.json",
      ].toSorted(),
    );
    const sums = await readFile(join(out, "SHA256SUMS"), "utf8");
    expect(sums.trim().split("\n")).toHaveLength(10);
    await execute("sha256sum", ["--check", "--strict", join(out, "SHA256SUMS")], { cwd: files });
    expect(await readFile(join(out, "notes.md"), "utf8")).toMatch(/^### /m);
  });

  it("has plugin manifests that name the archives beside them, by their sums", async () => {
    const sums = await readFile(join(out, "SHA256SUMS"), "utf8");
    const read = async (name: string): Promise<unknown> => parse(await readFile(join(files, name), "utf8"));
    const flux = (await read("flux-plugin.yaml")) as {
      versions: { platforms: { url: string; checksum: string }[] }[];
    };
    const krew = (await read("krew-plugin.yaml")) as { spec: { platforms: { uri: string; sha256: string }[] } };
    const named = [
      ...flux.versions[0]!.platforms.map(({ url, checksum }) => [url, checksum.replace("sha256:", "")]),
      ...krew.spec.platforms.map(({ uri, sha256 }) => [uri, sha256]),
    ];
    expect(named).toHaveLength(2);
    for (const [url = "", sum = ""] of named) expect(sums).toContain(`${sum}  ${url.split("/").at(-1)}\n`);
  });

  it("has a binary and an npm package that run", async () => {
    const binary = await execute(join(files, `strata-${platform}`), ["--version"], { env: { HOME: workspace.dir } });
    expect(binary.stdout).toContain(`strata ${version} (`);
    const consumer = await workspace.directory("consumer");
    await writeFile(join(consumer, "package.json"), '{"private":true}');
    const tarball = join(files, `strata-npm-${version}.tgz`);
    await execute("npm", ["install", "--offline", "--no-audit", tarball], { cwd: consumer, env });
    const script = 'import("@strata-dev/strata/oci").then((oci) => console.log(oci.isTag("v1")))';
    expect((await execute(process.execPath, ["-e", script], { cwd: consumer, env })).stdout).toBe("true\n");
  });

  itHas("crane")("has pushed the image, which others pull", async () => {
    const digest = await run("crane", "digest", image());
    expect(await readFile(join(out, "pushed.txt"), "utf8")).toContain(
      `${registry.host}/strata/strata-controller@${digest}\n`,
    );
    await run("crane", "validate", "--remote", image());
    await run("crane", "pull", "--platform", "linux/amd64", image(), join(workspace.dir, "image.tar"));
    const config = JSON.parse(await run("crane", "config", "--platform", "linux/amd64", image())) as object;
    expect(config).toMatchObject({
      config: {
        User: "65532:65532",
        Entrypoint: ["/nodejs/bin/node", "--max-semi-space-size=4", "/app/strata-controller.js"],
        Labels: { "org.opencontainers.image.version": version },
      },
    });
    expect(await readFile(join(files, "install.yaml"), "utf8")).toContain(`image: ${image()}@${digest}\n`);
  });

  itHas("oras")("has pushed the SBOM as a referrer of the image", async () => {
    const listed = await run("oras", "discover", "--plain-http", "--format", "json", image());
    const { referrers } = JSON.parse(listed) as { referrers: { artifactType: string; reference: string }[] };
    expect(referrers).toMatchObject([{ artifactType: "application/vnd.cyclonedx+json" }]);
    const manifest = await run("oras", "manifest", "fetch", "--plain-http", referrers[0]!.reference);
    const { layers } = JSON.parse(manifest) as { layers: Descriptor[] };
    const blob = `${registry.host}/strata/strata-controller@${layers[0]!.digest}`;
    const sbom = JSON.parse(await run("oras", "blob", "fetch", "--plain-http", "--output", "-", blob)) as {
      bomFormat: string;
      components: { name: string }[];
    };
    expect(sbom.bomFormat).toBe("CycloneDX");
    expect(sbom.components.map(({ name }) => name)).toContain("undici");
  });

  itHas("helm")("has pushed the chart, which helm pulls", async () => {
    const chart = `oci://${registry.host}/strata/charts/strata`;
    await run("helm", "pull", chart, "--version", version, "--plain-http");
    const pulled = await readFile(join(workspace.dir, `strata-${version}.tgz`));
    expect(pulled).toEqual(await readFile(join(files, `strata-chart-${version}.tgz`)));
    const rendered = await run("helm", "template", "strata", join(workspace.dir, `strata-${version}.tgz`));
    expect(rendered).toContain(`image: ghcr.io/strata-dev/strata-controller:v${version}`);
    expect(await readFile(join(out, "pushed.txt"), "utf8")).toMatch(
      new RegExp(`^${registry.host}/strata/charts/strata@sha256:[0-9a-f]{64}$`, "m"),
    );
  });

  it.each([
    [["--version", "99.0.0"], `The tag says 99.0.0 and package.json ${version}`],
    [["--push", "registry.example/strata"], "is not a registry: write oci://HOST/PREFIX"],
    [["--base", "oci://registry.example/node:24"], "names no digest"],
  ])("is refused for %j, before anything is made", async (args, message) => {
    const refused = await release(["--out", join(workspace.dir, "refused"), ...args]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ stderr: expect.stringContaining(message) as string });
    expect(await readdir(workspace.dir)).not.toContain("refused");
  });
});
