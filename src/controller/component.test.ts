import { list } from "tar";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { secrets } from "../../api/kinds.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../testing/kube/reconciler.ts";
import {
  componentArtifact,
  descriptorOf,
  localResource,
  ocmPublicKey,
  rsaKeys,
  sha256Hex,
  signDescriptor,
} from "../testing/ocm.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

type Json = Record<string, unknown>;
const never = new AbortController().signal;
const mine = rsaKeys();
const myKey = mine.publicKey.export({ type: "spki", format: "pem" }).toString();
let registry: TestRegistry;
let controller: TestReconciler;

beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  await secret("ocm-keys", { "ocm.pub": ocmPublicKey });
  await secret("my-keys", { "ocm.pub": myKey });
});
afterEach(async () => {
  await controller.close();
  await registry.close();
});

const base64 = (text: string): string => Buffer.from(text).toString("base64");
async function secret(name: string, values: Record<string, string>, type = "Opaque"): Promise<void> {
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, base64(value)]));
  const object = { apiVersion: "v1", kind: "Secret", metadata: { name, namespace: "default" }, type, data };
  if ((await controller.kube.get(secrets, { namespace: "default", name }, never)) === undefined)
    await controller.kube.create(secrets, object, never);
  else await controller.kube.update(secrets, object, never);
}

const repositoryOf = (component: string) => `fx/component-descriptors/${component}`;
const spec = (resource: Json, more: Json = {}, component = "fx.example/app", tag = "1.0.0"): object => ({
  url: `oci://${registry.host}/${repositoryOf(component)}`,
  insecure: true,
  interval: "10m",
  ref: { tag },
  component: { resource },
  ...more,
});
const signed = { verify: { provider: "ocm", secretRef: { name: "ocm-keys" } } };
const mySigned = { verify: { provider: "ocm", secretRef: { name: "my-keys" } } };

async function status(specification: object) {
  await controller.apply("app", specification);
  await controller.reconcile("app");
  return await state();
}
async function state() {
  const object = await controller.get("app");
  const named = { ready: "Ready", stalled: "Stalled", verified: "SourceVerified" } as const;
  const conditions = Object.entries(named).map(([name, type]) => [name, conditionOf(object, type)] as const);
  return {
    ...object?.status,
    ...(Object.fromEntries(conditions) as Record<keyof typeof named, ReturnType<typeof conditionOf>>),
  };
}
async function files(): Promise<string[]> {
  const { path } = (await controller.get("app"))!.status!.artifact!;
  const names: string[] = [];
  await list({
    file: `${controller.root}/${path}`,
    onReadEntry: ({ type, path: name }) => void (type === "File" && names.push(name)),
  });
  return names;
}

/** Puts a component version up, as `ocm` would. */
function put(component: Json, blobs: readonly string[] = [], sign = false, tag?: string): void {
  const descriptor = descriptorOf(component);
  const { name, version } = descriptor["component"] as { name: string; version: string };
  const artifact = componentArtifact(sign ? signDescriptor(descriptor, mine.privateKey) : descriptor, blobs);
  registry.store.putArtifact(repositoryOf(name), { tag: tag ?? version, ...artifact });
}

describe("a resource that ocm added", () => {
  it("is a directory, extracted", async () => {
    const found = await status(spec({ name: "manifests" }, signed));
    expect(found.ready).toMatchObject({ status: "True" });
    expect(found.verified?.message).toMatch(
      /^verified ocm signature of key ocm\.pub \(signature default of fx\.example\/app:1\.0\.0\)/,
    );
    expect(await files()).toEqual(["base/configmap.yaml", "kustomization.yaml"]);
    expect(found.component).toEqual({
      name: "fx.example/app",
      version: "1.0.0",
      resource: { name: "manifests", version: "1.0.0", type: "directoryTree" },
      digest: "sha256:21f28467faf239c7cecae0df33fe875c8b19d2e466ab08e37db3c521f5e293cb",
    });
    expect(found.artifact?.metadata).toMatchObject({
      "software.ocm.component": "fx.example/app:1.0.0",
      "software.ocm.resource": '{"name":"manifests","version":"1.0.0"}',
    });
    expect(found.selected).toMatchObject({ operation: "Extract", layers: [{ offset: 1 }] });
  });

  it("is a blob, copied under its name", async () => {
    await status(spec({ name: "config", extraIdentity: { env: "prod" } }, signed));
    expect(await files()).toEqual(["config.yaml"]);
    const { component } = await status(spec({ name: "config", extraIdentity: { env: "dev" } }, signed));
    expect(await files()).toEqual(["config.txt"]);
    expect(component?.resource.extraIdentity).toEqual({ env: "dev" });
  });

  it("is a chart beside the descriptor, published byte for byte", async () => {
    const found = await status(spec({ name: "helm" }, signed));
    expect(found.ready).toMatchObject({ status: "True" });
    expect(found.selected).toMatchObject({ operation: "Copy", profile: "helm" });
    expect(found.artifact?.digest).toBe("sha256:de1a0298f059019f9cda3c995aca99f512d934c756c46b853e58c803c2f13a7d");
  });

  it("lies in a component version that is referred to", async () => {
    const component = { path: [{ name: "lib" }], resource: { name: "defaults" } };
    const found = await status({ ...spec({}, signed), component });
    expect(found.ready).toMatchObject({ status: "True" });
    expect(found.component).toMatchObject({
      name: "fx.example/app",
      path: [{ name: "lib", version: "2.1.0", componentName: "fx.example/lib" }],
    });
    expect(found.artifact?.metadata?.["software.ocm.component"]).toBe("fx.example/lib:2.1.0");
    expect(await files()).toEqual(["defaults.yaml"]);
  });

  it("is chosen by a range of versions, with build metadata", async () => {
    for (const version of ["1.1.0+build.1", "1.1.0-rc.1+build.2", "0.9.0"])
      put(
        { name: "fx.example/made", version, resources: [localResource("config", version)] },
        [version],
        false,
        version.replace("+", ".build-"),
      );
    const made = (ref: Json) => ({ ...spec({ name: "config" }, {}, "fx.example/made"), ref });
    expect((await status(made({ semver: ">=1.0.0" }))).component?.version).toBe("1.1.0+build.1");
    expect((await status(made({ policy: { semver: { range: ">=1.0.0-0 <1.1.0" } } }))).component?.version).toBe(
      "1.1.0-rc.1+build.2",
    );
    expect((await status(made({ tag: "1.1.0+build.1" }))).upstream?.tag).toBe("1.1.0.build-build.1");
  });

  it("is told apart in the message where it is not clear", async () => {
    const { ready, stalled } = await status(spec({ name: "config" }));
    expect(ready).toMatchObject({ status: "False", reason: "AmbiguousResource" });
    expect(ready?.message).toContain("see the condition Stalled");
    expect(stalled?.message).toContain(
      "component:\n  resource:\n    name: config\n    extraIdentity:\n      env: prod",
    );
    expect((await status(spec({ name: "nothing" }))).ready).toMatchObject({ reason: "NoResourceMatch" });
  });
});

describe("one that stays what it is", () => {
  it("costs one request, and no write", async () => {
    await status(spec({ name: "manifests" }, signed));
    controller.writes();
    const before = registry.requests.length;
    await controller.reconcile("app");
    expect(registry.requests.slice(before).map(({ method }) => method)).toEqual(["HEAD"]);
    expect(controller.writes()).toEqual([]);
  });

  it("is built again when another resource is meant", async () => {
    const first = (await status(spec({ name: "manifests" }))).artifact;
    expect((await status(spec({ name: "helm" }))).artifact?.revision).not.toBe(first?.revision);
    const descriptor = { artifactType: "application/vnd.ocm.software.component-descriptor.v2" };
    const plain = { component: undefined, indexSelector: descriptor, layerSelector: { offset: 1 } };
    const without = await status({ ...spec({}), ...plain });
    expect(without.component).toBeUndefined();
    expect(without.artifact?.metadata).not.toHaveProperty("software.ocm.component");
  });

  it("is built again when the tag in its access moves", async () => {
    const access = { type: "ociArtifact", imageReference: `${registry.host}/flux/moving:1` };
    const app = registry.store.manifest("flux/app", "1.0.0")!;
    for (const [digest, content] of registry.store.repository("flux/app").blobs)
      registry.store.repository("flux/moving").blobs.set(digest, content);
    registry.store.putManifest("flux/moving", app.stored.bytes, { tag: "1", mediaType: app.stored.mediaType });
    put({ resources: [localResource("app", "", { access, digest: null })] });
    const first = await status(spec({ name: "app" }, {}, "fx.example/made"));
    expect(first.ready).toMatchObject({ status: "True" });
    registry.store.putArtifact("flux/moving", {
      tag: "1",
      layers: [{ mediaType: "text/plain", bytes: Buffer.from("moved") }],
    });
    await controller.apply("app", spec({ name: "app" }, { layerSelector: { operation: "Copy" } }, "fx.example/made"));
    await controller.reconcile("app");
    expect((await state()).component?.digest).not.toBe(first.component?.digest);
  });
});

describe("what a signature is to cover", () => {
  it.each<[string, () => Json | Promise<Json>, RegExp]>([
    ["another key", () => ({ verify: { provider: "ocm", secretRef: { name: "my-keys" } } }), /not by any of the keys/],
    ["another name", () => ({ verify: { ...signed.verify, signature: "release" } }), /under the name release/],
  ])("is refused with %s, before anything is taken", async (_, more, message) => {
    const found = await status(spec({ name: "manifests" }, await more()));
    expect(found.ready).toMatchObject({
      status: "False",
      reason: "VerificationError",
      message: expect.stringMatching(message),
    });
    expect(found.artifact).toBeUndefined();
    expect(registry.requests.some(({ path }) => path.includes("21f28467faf2"))).toBe(false);
  });

  it("is refused where the descriptor was changed", async () => {
    const descriptor = signDescriptor(descriptorOf({ resources: [localResource("config", "a: 1")] }), mine.privateKey);
    (descriptor["component"] as Json)["resources"] = [localResource("config", "a: 2")];
    registry.store.putArtifact(repositoryOf("fx.example/made"), {
      tag: "1.0.0",
      ...componentArtifact(descriptor, ["a: 2"]),
    });
    const found = await status(spec({ name: "config" }, mySigned, "fx.example/made"));
    expect(found.ready).toMatchObject({ reason: "VerificationError", message: expect.stringMatching(/was changed/) });
  });

  it("is refused where another blob was put in the place", async () => {
    const descriptor = signDescriptor(descriptorOf({ resources: [localResource("config", "a: 1")] }), mine.privateKey);
    const [resource] = (descriptor["component"] as { resources: { access: Json }[] }).resources;
    resource!.access["localReference"] = `sha256:${sha256Hex("evil: 1")}`;
    registry.store.putArtifact(repositoryOf("fx.example/made"), {
      tag: "1.0.0",
      ...componentArtifact(descriptor, ["evil: 1"]),
    });
    const found = await status(spec({ name: "config" }, mySigned, "fx.example/made"));
    expect(found.ready).toMatchObject({ reason: "VerificationError", message: expect.stringMatching(/swapped/) });
    expect(found.artifact).toBeUndefined();
  });

  it("is refused where another component version was put in the place of the one referred to", async () => {
    put({ name: "fx.example/lib", version: "2.1.0", resources: [localResource("defaults", "evil: 1")] }, ["evil: 1"]);
    const component = { path: [{ name: "lib" }], resource: { name: "defaults" } };
    const found = await status({ ...spec({}, signed), component });
    expect(found.ready).toMatchObject({
      reason: "VerificationError",
      message: expect.stringMatching(/component reference lib 2\.1\.0/),
    });
  });

  it("is refused where another signed version was put in the place", async () => {
    put(
      { name: "fx.example/made", version: "1.0.0", resources: [localResource("config", "old")] },
      ["old"],
      true,
      "2.0.0",
    );
    const found = await status(spec({ name: "config" }, mySigned, "fx.example/made", "2.0.0"));
    expect(found.ready).toMatchObject({ reason: "ComponentInvalid" });
  });

  it("is refused where the resource has no digest", async () => {
    put({ resources: [localResource("config", "a: 1", { digest: null })] }, ["a: 1"], true);
    const found = await status(spec({ name: "config" }, mySigned, "fx.example/made"));
    expect(found.ready).toMatchObject({ reason: "VerificationError", message: expect.stringMatching(/no digest/) });
    expect((await status(spec({ name: "config" }, {}, "fx.example/made"))).ready).toMatchObject({ status: "True" });
  });
});

describe("another registry", () => {
  const access = (host: string) => ({ type: "ociArtifact", imageReference: `${host}/flux/app:1.0.0` });

  it("is not asked without credentials of its own, nor over plain HTTP, nor with those of this one", async () => {
    await using other = await startRegistry({ fixtures: true });
    put({ resources: [localResource("app", "", { access: access(other.host), digest: null })] });
    const auths = (hosts: Record<string, object>) => ({ ".dockerconfigjson": JSON.stringify({ auths: hosts }) });
    const login = { auth: base64("user:secret") };
    await secret("pull", auths({ [registry.host]: login }), "kubernetes.io/dockerconfigjson");
    const wanted = spec({ name: "app" }, { secretRef: { name: "pull" } }, "fx.example/made");
    expect((await status(wanted)).ready?.message).toMatch(new RegExp(`add ${other.host} to Secret pull`));
    expect(other.requests).toEqual([]);
    await secret("pull", auths({ [registry.host]: login, [other.host]: {} }), "kubernetes.io/dockerconfigjson");
    expect((await status(wanted)).ready).toMatchObject({ status: "False" });
    // The other server speaks plain HTTP, which nobody speaks with it.
    expect(other.requests).toEqual([]);
    expect((await state()).ready?.message).not.toContain("secret");
  });
});
