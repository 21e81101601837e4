import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { download, type PublishedArtifact } from "./artifact.ts";
import { makeCertificate, type Certificate } from "./certificate.ts";
import { startCluster } from "./cluster.ts";
import { itConforms } from "./conformance.ts";
import type { ControlPlane } from "./controlplane.ts";
import { crane } from "./crane.ts";
import { startSourceController } from "./flux.ts";
import { hasArtifact } from "./kube.ts";
import { digestOf, fluxLayerType } from "./push.ts";
import type { Registry } from "./registry.ts";
import {
  artifactRepository,
  namespace,
  ociRepositoryRef,
  readyRepository,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { freePort } from "./server.ts";
import { startStrata, type Strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const helm = {
  config: "application/vnd.cncf.helm.config.v1+json",
  content: "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
};

let plane: ControlPlane;
let registry: Registry;
/** `127.0.0.1:5000`; a controller of its own serves HTTPS for the objects with the label `endpoint: https`. */
let http: string;
/** What most tests pull, and from where. */
let artifact: PublishedArtifact;
let repository: string;

beforeAll(async () => {
  ({ plane, registry } = await startCluster(workspace));
  http = `127.0.0.1:${await freePort()}`;
  await startStrata(workspace, plane, {
    flags: [`--oci-endpoint-addr=${http}`, "--watch-label-selector=endpoint!=https"],
  });
  artifact = await published("app", "flux/app", { ref: { tag: "1.0.0" } });
  repository = `${http}/${namespace}/app`;
});

interface Manifest {
  readonly config: { readonly mediaType: string; readonly digest: string };
  readonly layers: readonly {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
}

async function published(
  name: string,
  path: string,
  spec: Spec,
  labels: Readonly<Record<string, string>> = {},
): Promise<PublishedArtifact> {
  const object = artifactRepository(name, { registry, path }, spec);
  await plane.admin.create({ ...object, metadata: { ...object.metadata, labels } });
  return (await readyRepository(plane, name)).status?.["artifact"] as PublishedArtifact;
}

const manifestOf = async (reference: string, env: Readonly<Record<string, string>> = {}): Promise<Manifest> =>
  JSON.parse(await crane(["manifest", reference], env)) as Manifest;

describe("at the embedded endpoint, an artifact", () => {
  it("is listed, resolved and validated by crane, by tag and by digest", async () => {
    expect((await crane(["ls", repository])).split("\n")).toEqual(["1.0.0", "latest"]);
    const digest = await crane(["digest", `${repository}:1.0.0`]);
    expect(digest).toBe(await crane(["digest", `${repository}:latest`]));
    expect(await crane(["digest", `${repository}@${digest}`])).toBe(digest);
    const text = await crane(["manifest", `${repository}@${digest}`]);
    expect(digestOf(Buffer.from(text))).toBe(digest);
    expect((JSON.parse(text) as Manifest).layers).toEqual([
      expect.objectContaining({
        mediaType: fluxLayerType,
        digest: artifact.digest,
        size: artifact.size,
      }),
    ]);
    for (const reference of [`${repository}:1.0.0`, `${repository}@${digest}`])
      await crane(["validate", "--remote", reference]);
  });

  it("is pulled by crane byte for byte", async () => {
    const digest = await crane(["digest", `${repository}:1.0.0`]);
    for (const [name, reference] of [
      ["tag", `${repository}:1.0.0`],
      ["digest", `${repository}@${digest}`],
    ] as const) {
      const dir = join(workspace.dir, `pulled-by-${name}`);
      await crane(["pull", "--format=oci", reference, dir]);
      expect(await readFile(join(dir, "blobs", ...artifact.digest.split(":")))).toEqual(await download(artifact));
      expect(await readFile(join(dir, "blobs", ...digest.split(":")), "utf8")).toBe(
        await crane(["manifest", reference]),
      );
    }
  });

  it("can be copied to another registry under the same digest", async () => {
    await crane(["copy", `${repository}:1.0.0`, `${registry.host}/copied/app:1.0.0`]);
    expect(await crane(["digest", `${registry.host}/copied/app:1.0.0`])).toBe(
      await crane(["digest", `${repository}:1.0.0`]),
    );
  });

  it("that was superseded can still be pulled by its digest", async () => {
    await published("moving", "flux/app", { ref: { tag: "1.0.0" } });
    const moving = `${http}/${namespace}/moving`;
    const before = await crane(["digest", `${moving}:1.0.0`]);
    await plane.admin.patch(repositoryRef("moving"), { spec: { ref: { tag: "1.1.0" } } });
    await readyRepository(plane, "moving");
    expect((await crane(["ls", moving])).split("\n")).toEqual(["1.1.0", "latest"]);
    expect(await crane(["digest", `${moving}:latest`])).not.toBe(before);
    await crane(["validate", "--remote", `${moving}@${before}`]);
  });
});

describe("the embedded endpoint", () => {
  itConforms(workspace, () => ({ host: http, repository: `${namespace}/app` }));

  it("answers parts of blobs, and that nothing refers to them", async () => {
    const blob = await fetch(`http://${http}/v2/${namespace}/app/blobs/${artifact.digest}`, {
      headers: { range: "bytes=2-9" },
    });
    expect([blob.status, blob.headers.get("content-range")]).toEqual([206, `bytes 2-9/${artifact.size}`]);
    expect(Buffer.from(await blob.arrayBuffer())).toEqual((await download(artifact)).subarray(2, 10));
    const referrers = await fetch(
      `http://${http}/v2/${namespace}/app/referrers/${await crane(["digest", `${repository}:1.0.0`])}`,
    );
    expect(await referrers.json()).toMatchObject({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [],
    });
  });

  it("takes nothing", async () => {
    await expect(crane(["copy", `${registry.host}/flux/app:1.1.0`, `${repository}:pushed`])).rejects.toThrow(
      /UNSUPPORTED|405/,
    );
    await expect(crane(["tag", `${repository}:1.0.0`, "pushed"])).rejects.toThrow(/UNSUPPORTED|405/);
    await expect(crane(["delete", `${repository}@${await crane(["digest", `${repository}:1.0.0`])}`])).rejects.toThrow(
      /UNSUPPORTED|405/,
    );
    expect((await crane(["ls", repository])).split("\n")).toEqual(["1.0.0", "latest"]);
  });

  it("knows no other names, tags and digests", async () => {
    await expect(crane(["manifest", `${repository}:2.0.0`])).rejects.toThrow(/MANIFEST_UNKNOWN/);
    await expect(crane(["manifest", `${http}/${namespace}/nobody:1.0.0`])).rejects.toThrow(/NAME_UNKNOWN/);
    await expect(crane(["blob", `${repository}@sha256:${"0".repeat(64)}`])).rejects.toThrow(/BLOB_UNKNOWN/);
  });
});

describe("a Helm chart at the endpoint", () => {
  it("is a chart as helm pushes it", async () => {
    const artifact = await published("chart", "helm/chart", { ref: { tag: "0.1.0" } });
    const reference = `${http}/${namespace}/chart:0.1.0`;
    const [ours, upstream] = await Promise.all([
      manifestOf(reference),
      manifestOf(`${registry.host}/helm/chart:0.1.0`),
    ]);
    const chart = upstream.layers.find(({ mediaType }) => mediaType === helm.content);
    expect(ours.config).toEqual(upstream.config);
    expect(ours.config.mediaType).toBe(helm.config);
    expect(ours.layers).toEqual([
      expect.objectContaining({ mediaType: helm.content, digest: chart?.digest, size: chart?.size }),
    ]);
    expect(chart?.digest).toBe(artifact.digest);
    expect(JSON.parse(await crane(["config", reference]))).toMatchObject({
      name: "chart",
      version: "0.1.0",
      apiVersion: "v2",
    });
  });
});

/** As kubelet swaps a mounted Secret: each file is whole at any time. */
async function mount(directory: string, { cert, key }: Certificate): Promise<void> {
  for (const [name, text] of [
    ["tls.key", key],
    ["tls.crt", cert],
  ] as const) {
    await writeFile(join(directory, `.${name}`), text);
    await rename(join(directory, `.${name}`), join(directory, name));
  }
}

const trusting = ({ certFile }: Pick<Certificate, "certFile">) => ({
  SSL_CERT_FILE: certFile,
  SSL_CERT_DIR: "/nonexistent",
});

describe("the endpoint with HTTPS", () => {
  let https: string;
  let strata: Strata;
  let certificates: string;

  it("is trusted by its authority, and follows a rotated certificate without a restart", async () => {
    const [first, second] = [await makeCertificate(workspace, "first"), await makeCertificate(workspace, "second")];
    certificates = await workspace.directory("endpoint-tls");
    await mount(certificates, first);
    https = `127.0.0.1:${await freePort()}`;
    strata = await startStrata(workspace, plane, {
      name: "strata-https",
      flags: [
        `--oci-endpoint-addr=${https}`,
        `--oci-endpoint-cert-dir=${certificates}`,
        "--watch-label-selector=endpoint=https",
      ],
    });
    const artifact = await published(
      "secured",
      "flux/app",
      { ref: { tag: "1.0.0" }, publish: { externalArtifact: {}, ociRepository: {} } },
      { endpoint: "https" },
    );
    const reference = `${https}/${namespace}/secured:1.0.0`;
    expect((await manifestOf(reference, trusting(first))).layers[0]?.digest).toBe(artifact.digest);
    await crane(["validate", "--remote", reference], trusting(first));
    await expect(crane(["manifest", reference], trusting(second))).rejects.toThrow(/x509|certificate/);
    expect((await plane.admin.get(ociRepositoryRef("secured"))).spec).toMatchObject({
      url: `oci://${https}/${namespace}/secured`,
    });
    const { pid } = strata.server;
    await mount(certificates, second);
    await expect
      .poll(async () => (await manifestOf(reference, trusting(second))).layers[0]?.digest, { timeout: 15_000 })
      .toBe(artifact.digest);
    await expect(crane(["manifest", reference], trusting(first))).rejects.toThrow(/x509|certificate/);
    expect([strata.server.running(), strata.server.pid]).toEqual([true, pid]);
  });

  it("is read by source-controller, which trusts what it is told to", async () => {
    const bundle = join(workspace.dir, "trusted.pem");
    await writeFile(
      bundle,
      (await makeCertificate(workspace, "unrelated")).cert + (await readFile(join(certificates, "tls.crt"), "utf8")),
    );
    await startSourceController(workspace, plane, { SSL_CERT_FILE: bundle });
    const object = await plane.admin.waitFor(ociRepositoryRef("secured"), "read", hasArtifact);
    const { status = {} } = await readyRepository(plane, "secured");
    expect(object.status).toMatchObject({ artifact: { digest: (status["artifact"] as PublishedArtifact).digest } });
  });

  it("goes on with the certificate it has when the new one is broken", async () => {
    const second = { certFile: join(workspace.dir, "certificates", "second.crt") };
    await writeFile(join(certificates, "tls.crt"), "-----BEGIN CERTIFICATE-----\nhalf");
    await crane(["validate", "--remote", `${https}/${namespace}/secured:1.0.0`], trusting(second));
    expect(strata.server.running()).toBe(true);
  });
});
