import { externalArtifacts, ociRepositories } from "../api/kinds.ts";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { create as createTar } from "tar";
import { beforeAll, describe, expect, it } from "vitest";
import type { ExternalArtifact, OciRepository, OwnerReference } from "../api/flux/source.ts";
import { kubeDefaults, serverLimits } from "../src/config.ts";
import { codeOf } from "../src/errors.ts";
import type { KubeClient } from "../src/kube/client.ts";
import { connectKube } from "../src/kube/http/connect.ts";
import { sha256Of } from "../src/oci/digest.ts";
import {
  publishExternalArtifact,
  withdrawExternalArtifact,
  type ExternalArtifactRequest,
} from "../src/publish/external-artifact.ts";
import { InputsSupport } from "../src/publish/exported-inputs.ts";
import { listen } from "../src/serve/listen.ts";
import { ociHandler } from "../src/serve/oci-endpoint.ts";
import {
  publishOciRepository,
  pullSource,
  withdrawOciRepository,
  type OciRepositoryRequest,
  type PullSource,
} from "../src/publish/oci-repository.ts";
import type { Artifact, StoredImage } from "../src/store/store.ts";
import { openStorage } from "../src/store/storage.ts";
import { download, filesOfTarball, type PublishedArtifact } from "./artifact.ts";
import type { ControlPlane } from "./controlplane.ts";
import { startControlPlane } from "./controlplane.ts";
import { installFluxCrds, startSourceController } from "./flux.ts";
import { hasArtifact } from "./kube.ts";
import { fluxLayerType } from "./push.ts";
import { ociRepositoryRef } from "./repositories.ts";
import { installStrata } from "./strata.ts";
import { eventually } from "./wait.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const signal = new AbortController().signal;
const fieldManager = "strata-controller";
const namespace = "default";
const otherRef: OwnerReference = {
  apiVersion: "apps.example/v1",
  kind: "Composition",
  name: "stack",
  uid: "7a9f2c1e-0000-4000-8000-000000000001",
  controller: true,
};

let plane: ControlPlane;
/** With the token of the shipped service account. */
let client: KubeClient;

beforeAll(async () => {
  plane = await startControlPlane(workspace);
  await installStrata(plane);
  const kubeconfig = await plane.kubeconfigFor("strata-system", "strata-controller");
  const connection = await connectKube({
    ...kubeDefaults,
    kubeconfig,
    inCluster: { server: "", directory: "" },
    qps: 0,
    burst: 0,
    userAgent: "strata-controller/e2e",
  });
  workspace.onEnd(() => connection.close());
  client = connection.client;
});

function artifact(content: string, metadata?: Record<string, string>): Artifact {
  const digest = sha256Of(content);
  const path = `artifactrepository/default/${digest}.tar.gz`;
  return {
    path,
    url: `http://strata.example/${path}`,
    revision: `1.0.0@${digest}`,
    digest,
    size: content.length,
    lastUpdateTime: "2026-11-21T06:59:00Z",
    ...(metadata && { metadata }),
  };
}

async function newOwner(name: string): Promise<{ name: string; namespace: string; uid: string }> {
  const made = await plane.admin.create({
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name, namespace },
    spec: { url: "oci://registry.example/app", interval: "1m" },
  });
  return { name, namespace, uid: String(made.metadata.uid) };
}

type Owner = Awaited<ReturnType<typeof newOwner>>;

async function announce(owner: Owner, change: Partial<ExternalArtifactRequest> = {}): Promise<void> {
  await publishExternalArtifact(
    { client, owner, artifact: artifact("one"), fieldManager, current: null, now: new Date(), ...change },
    signal,
  );
}

const find = async (name: string): Promise<ExternalArtifact | undefined> =>
  await client.get<ExternalArtifact>(externalArtifacts, { namespace, name }, signal);

async function read(name: string): Promise<ExternalArtifact> {
  const object = await find(name);
  if (object === undefined) throw new Error(`there is no ExternalArtifact ${name}`);
  return object;
}

async function put(
  name: string,
  ownerReferences: readonly OwnerReference[],
  kind = "ArtifactRepository",
): Promise<ExternalArtifact> {
  await plane.admin.create({
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "ExternalArtifact",
    metadata: { name, namespace, ownerReferences },
    spec: { sourceRef: { kind, name } },
  });
  return await read(name);
}

describe("the API server", () => {
  it("says that Flux is missing, before it is installed", async () => {
    const owner = await newOwner("early");
    // The authorizer takes a moment to learn the new bindings.
    await eventually(
      "the right to publish",
      async () => codeOf(await announce(owner).catch((error: unknown) => error)) === "CrdMissing",
    );
    await expect(announce(owner)).rejects.toThrow(/install Flux 2\.7 or later/);
    await withdrawExternalArtifact({ client, owner }, signal);
    await installFluxCrds(plane);
    await eventually("the kind", async () => {
      await announce(owner, { current: undefined });
      return true;
    });
  });
});

describe("an ExternalArtifact on a real API server", () => {
  it("is made with its status, and not written again", async () => {
    const owner = await newOwner("made");
    const request = {
      artifact: artifact("one", { a: "1", b: "2" }),
      sourceVerified: { type: "SourceVerified", status: "True", reason: "Succeeded", message: "verified" },
    } as const;
    await announce(owner, request);
    const made = await read("made");
    expect(made.status?.artifact).toEqual(request.artifact);
    expect(made.status?.conditions).toMatchObject([
      { type: "Ready", status: "True", observedGeneration: 1 },
      { type: "SourceVerified" },
    ]);
    expect(made.metadata.ownerReferences).toEqual([
      {
        apiVersion: "source.strata.dev/v1beta1",
        kind: "ArtifactRepository",
        name: "made",
        uid: owner.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
    for (const current of [made, null, undefined]) await announce(owner, { ...request, current });
    expect((await read("made")).metadata.resourceVersion).toBe(made.metadata.resourceVersion);
  });

  it("loses what is said no more", async () => {
    const owner = await newOwner("changed");
    await announce(owner, {
      artifact: artifact("one", { a: "1", b: "2" }),
      sourceVerified: { type: "SourceVerified", status: "True", reason: "Succeeded", message: "verified" },
    });
    const made = await read("changed");
    await announce(owner, { artifact: artifact("one", { b: "2" }), current: made });
    const { status } = await read("changed");
    expect(status?.artifact?.metadata).toEqual({ b: "2" });
    expect(status?.conditions).toEqual(made.status?.conditions?.filter(({ type }) => type === "Ready"));
  });

  it("is set right where somebody has edited it", async () => {
    const owner = await newOwner("edited");
    await announce(owner);
    await plane.admin.patch(
      { kind: "ExternalArtifact", namespace, name: "edited" },
      {
        metadata: { labels: { "app.kubernetes.io/managed-by": "hand", extra: "kept" } },
        spec: { sourceRef: { name: "wrong" } },
      },
    );
    await announce(owner, { current: await read("edited") });
    const after = await read("edited");
    expect(after.spec.sourceRef.name).toBe("edited");
    expect(after.metadata.labels).toEqual({ "app.kubernetes.io/managed-by": "strata-controller", extra: "kept" });
    expect(after.status?.conditions?.[0]?.observedGeneration).toBe(after.metadata.generation);
  });
});

describe("what an ExternalArtifact carries", () => {
  it("goes when it goes, and leaves what others have set", async () => {
    const owner = await newOwner("carrying");
    const carried = { labels: { team: "a", alike: "1" }, annotations: { note: "n" } };
    await announce(owner, { carried: { labels: { team: "a" }, annotations: {} } });
    await plane.admin.patch(
      { kind: "ExternalArtifact", namespace, name: "carrying" },
      { metadata: { labels: { alike: "1", hand: "made" } } },
    );
    await announce(owner, { carried, current: await read("carrying") });
    const made = await read("carrying");
    expect(made.metadata.labels).toMatchObject({ team: "a", alike: "1", hand: "made" });
    for (const current of [made, undefined]) await announce(owner, { carried, current });
    expect((await read("carrying")).metadata.resourceVersion).toBe(made.metadata.resourceVersion);
    await announce(owner, { current: made });
    const { labels, annotations } = (await read("carrying")).metadata;
    expect(labels).toEqual({ "app.kubernetes.io/managed-by": "strata-controller", alike: "1", hand: "made" });
    expect(annotations ?? {}).toEqual({});
  });

  it("are inputs where the kind has them", async () => {
    const owner = await newOwner("exporting");
    const exportedInputs = { url: "oci://registry.example/app", tag: "1.0.0", annotations: { a: "1" } };
    await expect(announce(owner, { exportedInputs })).rejects.toMatchObject({ code: "KubeRejected" });
    const support = new InputsSupport();
    const write = async (): Promise<void> =>
      await support.write(exportedInputs, async (inputs) => await announce(owner, { exportedInputs: inputs }));
    await write();
    expect((await read("exporting")).status).toMatchObject({ artifact: { revision: artifact("one").revision } });
    const name = "externalartifacts.source.toolkit.fluxcd.io";
    const crd = (await plane.admin.find({ kind: "CustomResourceDefinition", name })) as unknown as Crd;
    // As Flux 2.10 has it.
    for (const { schema } of crd.spec.versions)
      schema.openAPIV3Schema.properties.status.properties["exportedInputs"] = {
        type: "object",
        additionalProperties: { "x-kubernetes-preserve-unknown-fields": true },
      };
    await plane.admin.patch({ kind: "CustomResourceDefinition", name }, { spec: { versions: crd.spec.versions } });
    await eventually("the field", async () => {
      await announce(owner, { exportedInputs });
      return true;
    });
    expect((await read("exporting")).status?.exportedInputs).toEqual(exportedInputs);
  });
});

interface Crd {
  readonly spec: {
    readonly versions: readonly {
      readonly schema: {
        readonly openAPIV3Schema: {
          readonly properties: { readonly status: { readonly properties: Record<string, unknown> } };
        };
      };
    }[];
  };
}

describe("an ExternalArtifact of the same name", () => {
  it.each<[string, readonly OwnerReference[], string]>([
    ["nobodys", [], "ArtifactRepository"],
    ["another-controllers", [otherRef], "Composition"],
    ["from-elsewhere", [], "GitRepository"],
  ])("that is somebody else's is not touched: %s", async (name, references, kind) => {
    const owner = await newOwner(name);
    const foreign = await put(name, references, kind);
    for (const current of [null, undefined, foreign])
      await expect(announce(owner, { current })).rejects.toMatchObject({ code: "NotOwned" });
    await withdrawExternalArtifact({ client, owner }, signal);
    expect(await read(name)).toEqual(foreign);
  });

  it("that an earlier owner of the name has left behind is made anew", async () => {
    const before = await newOwner("recreated");
    await announce(before);
    const leftover = await read("recreated");
    await plane.admin.delete({ kind: "ArtifactRepository", namespace, name: "recreated" });
    const owner = await newOwner("recreated");
    await withdrawExternalArtifact({ client, owner }, signal);
    expect(await read("recreated")).toEqual(leftover);
    await announce(owner, { current: leftover });
    const made = await read("recreated");
    expect(made.metadata.uid).not.toBe(leftover.metadata.uid);
    expect(made.metadata.ownerReferences).toMatchObject([{ uid: owner.uid }]);
    await withdrawExternalArtifact({ client, owner }, signal);
    expect(await find("recreated")).toBeUndefined();
  });
});

describe("an old cache", () => {
  it("does not take an ExternalArtifact back from its new controller", async () => {
    const owner = await newOwner("adopted");
    await announce(owner);
    const cached = await read("adopted");
    await plane.admin.patch(
      { kind: "ExternalArtifact", namespace, name: "adopted" },
      { metadata: { ownerReferences: [otherRef], labels: { "app.kubernetes.io/managed-by": "other" } } },
    );
    const foreign = await read("adopted");
    const stale = { ...cached, metadata: { ...cached.metadata, labels: {} } };
    await expect(announce(owner, { current: stale })).rejects.toMatchObject({ code: "NotOwned" });
    expect(await read("adopted")).toEqual(foreign);
  });

  it("does not mistake one ExternalArtifact for another", async () => {
    const owner = await newOwner("replaced");
    await announce(owner);
    const cached = await read("replaced");
    const stale = { ...cached, metadata: { ...cached.metadata, labels: {} } };
    await plane.admin.delete({ kind: "ExternalArtifact", namespace, name: "replaced" });
    await announce(owner, { current: stale });
    const again = await read("replaced");
    expect(again.metadata.uid).not.toBe(cached.metadata.uid);
    await plane.admin.delete({ kind: "ExternalArtifact", namespace, name: "replaced" });
    const foreign = await put("replaced", [otherRef]);
    await expect(announce(owner, { current: stale })).rejects.toMatchObject({ code: "NotOwned" });
    // Only the status differs as far as this cache can see.
    await expect(announce(owner, { current: cached, artifact: artifact("two") })).rejects.toMatchObject({
      code: "NotOwned",
    });
    expect(await read("replaced")).toEqual(foreign);
  });
});

describe("a managed OCIRepository", () => {
  const publish = async (
    owner: Owner,
    source: PullSource,
    image: OciRepositoryRequest["image"],
    current?: OciRepository,
  ) =>
    await publishOciRepository(
      { client, owner, source, image, interval: "10m", timeout: "60s", fieldManager, current },
      signal,
    );
  const readRepository = async (name: string): Promise<OciRepository> =>
    (await client.get<OciRepository>(ociRepositories, { namespace, name }, signal))!;

  it("drops the fields that are wanted no more, and keeps those of others", async () => {
    const owner = await newOwner("target");
    const image = {
      descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256Of("one"), size: 1 },
      layer: { mediaType: fluxLayerType, digest: sha256Of("layer"), size: 1 },
    };
    const plain: PullSource = { url: "oci://registry.example/target", provider: "generic" };
    await publish(owner, { ...plain, secretRef: { name: "regcred" }, insecure: true }, image);
    await plane.admin.patch(ociRepositoryRef("target"), { spec: { suspend: true, ref: { semver: ">=1.0.0" } } });
    await publish(owner, plain, image);
    const after = await readRepository("target");
    expect(after.spec).toEqual({
      ...plain,
      interval: "10m",
      timeout: "60s",
      suspend: true,
      ref: { digest: sha256Of("one") },
      layerSelector: { mediaType: image.layer.mediaType, operation: "copy" },
    });
    for (const current of [after, undefined]) await publish(owner, plain, image, current);
    expect((await readRepository("target")).metadata.resourceVersion).toBe(after.metadata.resourceVersion);
  });

  it("makes source-controller serve the very bytes that the embedded endpoint has", async () => {
    const owner = await newOwner("embedded");
    const { stored, bytes, address } = await serve(owner);
    await startSourceController(workspace, plane);
    const source = pullSource(owner, undefined, { address, insecure: true });
    await publish(owner, source, stored.image);
    const repository = await plane.admin.waitFor(ociRepositoryRef("embedded"), "ready", hasArtifact, 60_000);
    const published = repository.status!["artifact"] as PublishedArtifact;
    expect(published).toMatchObject({ digest: sha256Of(bytes), revision: stored.image.descriptor.digest });
    // Flux leaves pictures out of what it archives itself.
    expect(Object.keys(await filesOfTarball(await download(published))).sort()).toEqual(["app.yaml", "logo.jpg"]);
    await publish(owner, source, stored.image);
    expect((await readRepository("embedded")).metadata.generation).toBe(1);
    await withdrawOciRepository({ client, owner }, signal);
    await eventually("its deletion", async () => (await plane.admin.find(ociRepositoryRef("embedded"))) === undefined);
  });
});

async function serve(owner: Owner): Promise<{ stored: StoredImage; bytes: Buffer; address: string }> {
  const content = await workspace.directory("content");
  const root = join(workspace.dir, "storage");
  await writeFile(join(content, "app.yaml"), "apiVersion: v1\nkind: List\nitems: []\n");
  await writeFile(join(content, "logo.jpg"), "a picture");
  const path = join(workspace.dir, "staged.tar.gz");
  await createTar({ gzip: true, portable: true, cwd: content, file: path }, ["app.yaml", "logo.jpg"]);
  const bytes = await readFile(path);
  const digest = sha256Of(bytes);
  const place = { kind: "ArtifactRepository", ...owner };
  const store = await openStorage({
    root,
    advertisedAddress: "strata.example",
    retention: { ttlMs: 60_000, records: 2 },
    verifyConcurrency: 1,
  });
  await store.publish(
    {
      owner: place,
      blob: { path, digest, size: bytes.length, contentDigest: digest, verbatim: true },
      revision: `1.0.0@${digest}`,
      metadata: {},
    },
    signal,
  );
  const server = await listen(ociHandler({ root, kind: "ArtifactRepository", ready: () => true }), {
    address: "127.0.0.1:0",
    limits: serverLimits,
  });
  workspace.onEnd(() => server.close(0));
  return { stored: (await store.image(place))!, bytes, address: `127.0.0.1:${server.port}` };
}
