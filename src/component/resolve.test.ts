import { describe, expect, it } from "vitest";
import { buffer } from "node:stream/consumers";
import { defaultLimits } from "../config.ts";
import type { CodedError } from "../errors.ts";
import type { Repository } from "../oci/content.ts";
import { sha256Of } from "../oci/digest.ts";
import { ociManifestType } from "../oci/media-types.ts";
import type { Descriptor } from "../oci/types.ts";
import { blobDigest, descriptorOf, descriptorType, localResource, sha256Hex } from "../testing/ocm.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { parseDescriptor } from "./descriptor.ts";
import type { Coverage, Place } from "./locate.ts";
import { normalisedForms } from "./normalisation.ts";
import { findResource, type ComponentSelector, type FoundResource } from "./resolve.ts";
import { tagOfVersion } from "./version.ts";

type Json = Record<string, unknown>;
const signal = new AbortController().signal;
const registry = "registry.test";

/** An OCM repository in memory, and whatever else its components refer to. */
class World {
  readonly repositories = new Map<string, MemoryRepository>();
  /** In which order others than the component's own repository were opened. */
  readonly opened: string[] = [];

  at(repository: string, host = registry): MemoryRepository {
    const name = `${host}/${repository}`;
    const found = this.repositories.get(name) ?? new MemoryRepository(name);
    this.repositories.set(name, found);
    return found;
  }

  component(component: Json, { blobs = [], children = [], tag }: Artifact = {}): void {
    const descriptor = descriptorOf(component);
    const { name, version } = descriptor["component"] as { name: string; version: string };
    const repository = this.at(`ocm/component-descriptors/${name}`);
    const body = {
      artifactType: "application/vnd.ocm.software.component-descriptor.v2",
      config: repository.blob("{}", "application/vnd.ocm.software.component.config.v1+json"),
      layers: [
        repository.blob(JSON.stringify(descriptor), descriptorType),
        ...blobs.map((blob) => repository.blob(blob, "application/octet-stream")),
      ],
    };
    const tags = [tag ?? tagOfVersion(version)];
    if (children.length === 0) repository.manifest(body, ...tags);
    else
      repository.manifest(
        { manifests: [repository.manifest(body), ...children.map((child) => repository.manifest(child))] },
        ...tags,
      );
  }

  async find(
    selector: ComponentSelector,
    { coverage, tag = "1.0.0", name = "fx.example/made" }: Find = {},
  ): Promise<FoundResource> {
    const repository = this.at(`ocm/component-descriptors/${name}`);
    return await findResource({
      root: await repository.resolve(tag),
      repository,
      place: { registry, repository: `ocm/component-descriptors/${name}` },
      tag,
      selector,
      coverage,
      open: (place: Place): Promise<Repository> => {
        this.opened.push(`${place.registry}/${place.repository}`);
        return Promise.resolve(this.at(place.repository, place.registry));
      },
      limits: defaultLimits,
      signal,
    });
  }
}

interface Artifact {
  readonly blobs?: readonly string[];
  readonly children?: readonly Json[];
  readonly tag?: string;
}

interface Find {
  readonly coverage?: Coverage;
  readonly tag?: string;
  readonly name?: string;
}

const resource = (name: string) => ({ resource: { name } });
const read = async ({ repository, descriptor }: FoundResource) =>
  (await buffer(await repository.fetch(descriptor, signal))).toString();
const refusedWith = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) }) as CodedError;
const normalDigest = (component: Json): Json => {
  const parsed = parseDescriptor(Buffer.from(JSON.stringify(descriptorOf(component))), descriptorType, "test");
  return {
    hashAlgorithm: "SHA-256",
    normalisationAlgorithm: "jsonNormalisation/v4alpha1",
    value: sha256Hex(normalisedForms(parsed)[0]!),
  };
};

describe("a local blob", () => {
  it("is a layer beside the descriptor", async () => {
    const world = new World();
    world.component(
      { resources: [localResource("config", "a: 1"), localResource("other", "b: 2")] },
      { blobs: ["b: 2", "a: 1"] },
    );
    const found = await world.find(resource("config"));
    expect(found).toMatchObject({ kind: "blob", descriptor: { mediaType: "application/yaml", size: 4 }, path: [] });
    expect(await read(found)).toBe("a: 1");
    expect(world.opened).toEqual([]);
  });

  it.each(["localBlob", "localBlob/v1", "LocalBlob", "LocalBlob/v1", "localOciBlob/v1"])(
    "is called %s",
    async (type) => {
      const world = new World();
      const key = type.startsWith("localOci") ? "digest" : "localReference";
      const access = { type, [key]: `sha256:${sha256Hex("a")}` };
      world.component({ resources: [localResource("config", "a", { access })] }, { blobs: ["a"] });
      expect(await read(await world.find(resource("config")))).toBe("a");
    },
  );

  it("is a manifest beside the descriptor's", async () => {
    const world = new World();
    const chart = {
      config: { mediaType: "application/vnd.cncf.helm.config.v1+json", digest: sha256Of("{}"), size: 2 },
      layers: [],
    };
    const bytes = JSON.stringify({ schemaVersion: 2, mediaType: ociManifestType, ...chart });
    const access = { type: "LocalBlob/v1", localReference: sha256Of(bytes), mediaType: ociManifestType };
    world.component({ resources: [localResource("chart", bytes, { access })] }, { children: [chart] });
    const found = await world.find(resource("chart"), { coverage: "descriptor" });
    expect(found).toMatchObject({
      kind: "manifest",
      descriptor: { mediaType: ociManifestType, digest: sha256Of(bytes) },
    });
  });

  it("is refused where it is not there", async () => {
    const world = new World();
    world.component({ resources: [localResource("config", "a")] });
    await expect(world.find(resource("config"))).rejects.toEqual(refusedWith("ComponentInvalid", /neither a layer of/));
  });

  it("is taken from its global access where it is not there", async () => {
    const world = new World();
    const image = world.at("images/app").manifest({ layers: [] }, "1");
    const access = (imageReference: string) => ({
      type: "localBlob",
      localReference: image.digest,
      mediaType: "application/vnd.oci.image.manifest.v1+json",
      globalAccess: { type: "ociArtifact/v1", imageReference },
    });
    world.component({
      resources: [localResource("image", "", { access: access(`${registry}/images/app:1`), digest: null })],
    });
    expect((await world.find(resource("image"))).descriptor).toEqual(image);
  });

  it("packed into an archive is refused, or taken from its global access", async () => {
    const packed = {
      type: "localBlob",
      localReference: sha256Of("tar"),
      mediaType: "application/vnd.oci.image.manifest.v1+tar+gzip",
    };
    const world = new World();
    const image = world.at("images/app").manifest({ layers: [] }, "1");
    const digest = {
      hashAlgorithm: "SHA-256",
      normalisationAlgorithm: "ociArtifactDigest/v1",
      value: image.digest.slice(7),
    };
    const globalAccess = { type: "ociArtifact", imageReference: `${registry}/images/app:1` };
    world.component(
      {
        resources: [
          localResource("alone", "tar", { access: packed, digest }),
          localResource("both", "tar", { access: { ...packed, globalAccess }, digest }),
        ],
      },
      { blobs: ["tar"] },
    );
    await expect(world.find(resource("alone"))).rejects.toEqual(refusedWith("AccessUnsupported", /\+tar\+gzip/));
    expect((await world.find(resource("both"), { coverage: "descriptor" })).descriptor).toEqual(image);
  });
});

describe("an OCI artifact", () => {
  const artifact = (access: Json, more: Json = {}) => ({
    resources: [localResource("image", "", { access, digest: null, ...more })],
  });

  it.each(["ociArtifact", "ociArtifact/v1", "OCIArtifact/v1", "ociRegistry", "ociImage/v1", "OCIImage", "OCIImage/v1"])(
    "is called %s, and found by its tag",
    async (type) => {
      const world = new World();
      const image = world.at("images/app", "other.test").manifest({ layers: [] }, "1");
      world.component(artifact({ type, imageReference: "other.test/images/app:1" }));
      expect(await world.find(resource("image"))).toMatchObject({
        kind: "manifest",
        descriptor: image,
        place: { registry: "other.test" },
      });
      expect(world.opened).toEqual(["other.test/images/app"]);
    },
  );

  it("is found by the resource's digest, not by its tag", async () => {
    const world = new World();
    const other = world.at("images/app").manifest({ layers: [], annotations: { moved: "yes" } }, "1");
    const image = world.at("images/app").manifest({ layers: [] });
    const digest = {
      hashAlgorithm: "SHA-256",
      normalisationAlgorithm: "ociArtifactDigest/v1",
      value: image.digest.slice(7),
    };
    world.component(artifact({ type: "ociArtifact", imageReference: `${registry}/images/app:1` }, { digest }));
    const { descriptor } = await world.find(resource("image"), { coverage: "descriptor" });
    expect(descriptor).toEqual(image);
    expect(descriptor).not.toEqual(other);
  });

  it("is refused where the reference has another digest than the resource", async () => {
    const world = new World();
    const image = world.at("images/app").manifest({ layers: [] });
    const digest = {
      hashAlgorithm: "SHA-256",
      normalisationAlgorithm: "ociArtifactDigest/v1",
      value: image.digest.slice(7),
    };
    world.component(
      artifact({ type: "ociArtifact", imageReference: `${registry}/images/app@${sha256Of("x")}` }, { digest }),
    );
    await expect(world.find(resource("image"))).rejects.toEqual(refusedWith("DigestMismatch"));
  });

  it("may be named relative to the registry", async () => {
    const world = new World();
    const image = world.at("images/app").manifest({ layers: [] }, "1");
    world.component(artifact({ type: "relativeOciReference/v1", reference: "images/app:1" }));
    expect((await world.find(resource("image"))).descriptor).toEqual(image);
    expect(world.opened).toEqual([`${registry}/images/app`]);
  });

  it("without a host is Docker Hub's", async () => {
    const world = new World();
    world.at("library/nginx", "docker.io").manifest({ layers: [] }, "1");
    world.component(artifact({ type: "ociArtifact", imageReference: "nginx:1" }));
    await world.find(resource("image"));
    expect(world.opened).toEqual(["docker.io/library/nginx"]);
  });

  it.each([
    "http://other.test/app:1",
    "oci-layout:///etc",
    "other.test/../x",
    "UPPER/Case:1",
    "other.test/app:",
    "user:pw@other.test/app",
    "",
  ])("is refused with the reference %s", async (imageReference) => {
    const world = new World();
    world.component(artifact({ type: "ociArtifact", imageReference }));
    await expect(world.find(resource("image"))).rejects.toEqual(refusedWith("ComponentInvalid"));
    expect(world.opened).toEqual([]);
  });
});

describe("an OCI blob", () => {
  it.each([
    ["ociBlob/v1", "ref"],
    ["OCIImageLayer/v1", "ref"],
    ["ociBlob", "imageReference"],
  ])("is called %s and has %s", async (type, key) => {
    const world = new World();
    const { digest } = world.at("blobs/config").blob("a: 1");
    const access = { type, [key]: `${registry}/blobs/config`, mediaType: "application/yaml", digest, size: 4 };
    world.component({ resources: [localResource("config", "a: 1", { access })] });
    const found = await world.find(resource("config"), { coverage: "descriptor" });
    expect(found).toMatchObject({ kind: "blob", place: { repository: "blobs/config" } });
    expect(await read(found)).toBe("a: 1");
  });

  it("has to be readable for whoever asks, also where nothing is built", async () => {
    const world = new World();
    const access = { type: "ociBlob", ref: `${registry}/blobs/config`, digest: sha256Of("a: 1"), size: 4 };
    world.component({ resources: [localResource("config", "a: 1", { access })] });
    await expect(world.find(resource("config"))).rejects.toEqual(refusedWith("NotFound"));
  });
});

it.each([
  "helm/v1",
  "Helm",
  "s3",
  "git",
  "gitHub/v1",
  "wget",
  "npm",
  "maven",
  "none",
  "ociArtifact/v2",
  "localFilesystemBlob",
  "constructor",
  "",
  "a/b/c",
])("the access type %j is refused by its name", async (type) => {
  const world = new World();
  world.component({ resources: [localResource("x", "x", { access: { type } })] });
  await expect(world.find(resource("x"))).rejects.toEqual(
    refusedWith("AccessUnsupported", new RegExp(`access type ${type || '""'}`)),
  );
});

describe("the digest of a resource", () => {
  const swapped = { digest: blobDigest("what was signed") };

  it.each([
    [undefined, "DigestMismatch"],
    ["bytes", "VerificationFailed"],
    ["descriptor", "VerificationFailed"],
  ] as const)("is enforced under %s: %s", async (coverage, code) => {
    const world = new World();
    world.component({ resources: [localResource("config", "swapped", swapped)] }, { blobs: ["swapped"] });
    await expect(world.find(resource("config"), { coverage })).rejects.toEqual(refusedWith(code, /swapped/));
  });

  it("may be of another algorithm, and is checked of a blob to its end", async () => {
    const sha512 = async (text: string) =>
      (await import("node:crypto")).createHash("sha512").update(text).digest("hex");
    const stated = async (text: string) => ({
      hashAlgorithm: "SHA-512",
      normalisationAlgorithm: "genericBlobDigest/v1",
      value: await sha512(text),
    });
    const world = new World();
    world.component(
      {
        resources: [
          localResource("good", "a", { digest: await stated("a") }),
          localResource("bad", "b", { digest: await stated("a") }),
        ],
      },
      { blobs: ["a", "b"] },
    );
    expect(await read(await world.find(resource("good"), { coverage: "descriptor" }))).toBe("a");
    await expect(world.find(resource("bad")).then(read)).rejects.toEqual(refusedWith("DigestMismatch"));
  });

  it.each([
    ["genericBlobDigest/v2", { normalisationAlgorithm: "genericBlobDigest/v2" }],
    ["ociArtifactDigest/v1 of a blob", { normalisationAlgorithm: "ociArtifactDigest/v1" }],
    ["MD5", { hashAlgorithm: "MD5" }],
    ["a value that is not a digest", { value: "x" }],
  ])("is refused with %s", async (_, more) => {
    const world = new World();
    world.component(
      { resources: [localResource("a", "a", { digest: { ...blobDigest("a"), ...more } })] },
      { blobs: ["a"] },
    );
    await expect(world.find(resource("a"))).rejects.toEqual(refusedWith("ComponentInvalid"));
  });

  it.each([
    ["nothing", null],
    ["three empty texts", { hashAlgorithm: "", normalisationAlgorithm: "", value: "" }],
    ["NO-DIGEST", { hashAlgorithm: "NO-DIGEST", normalisationAlgorithm: "EXCLUDE-FROM-SIGNATURE", value: "NO-DIGEST" }],
  ])("has to be there where a signature is to cover the content: %s", async (_, digest) => {
    const world = new World();
    world.component({ resources: [localResource("a", "a", { digest })] }, { blobs: ["a"] });
    expect(await read(await world.find(resource("a")))).toBe("a");
    // A signature of the manifest covers the blob by the digest in its access.
    expect(await read(await world.find(resource("a"), { coverage: "bytes" }))).toBe("a");
    await expect(world.find(resource("a"), { coverage: "descriptor" })).rejects.toEqual(
      refusedWith("VerificationFailed", /no digest/),
    );
  });

  it("or in its reference, where the manifest was signed; a tag is never enough", async () => {
    const world = new World();
    const image = world.at("images/app").manifest({ layers: [] }, "1");
    const named = (name: string, imageReference: string) =>
      localResource(name, "", {
        access: { type: "ociArtifact", imageReference: `${registry}/images/app${imageReference}` },
        digest: null,
      });
    world.component({ resources: [named("tag", ":1"), named("digest", `@${image.digest}`)] });
    expect((await world.find(resource("digest"), { coverage: "bytes" })).descriptor).toEqual(image);
    await expect(world.find(resource("digest"), { coverage: "descriptor" })).rejects.toEqual(
      refusedWith("VerificationFailed"),
    );
    await expect(world.find(resource("tag"), { coverage: "bytes" })).rejects.toEqual(refusedWith("VerificationFailed"));
  });
});

describe("component.path", () => {
  const lib = { name: "fx.example/lib", version: "2.1.0+ci.4", resources: [localResource("defaults", "a: 1")] };
  const toLib = (more: Json = {}) => ({
    name: "lib",
    version: "2.1.0+ci.4",
    componentName: "fx.example/lib",
    digest: normalDigest(lib),
    ...more,
  });
  const path = [{ name: "lib" }];

  it.each([undefined, "bytes", "descriptor"] as const)(
    "leads to the component version that is named, under %s",
    async (coverage) => {
      const world = new World();
      world.component(lib, { blobs: ["a: 1"] });
      world.component({ componentReferences: [toLib()] });
      const found = await world.find({ path, resource: { name: "defaults" } }, { coverage });
      expect(found).toMatchObject({
        path: [{ componentName: "fx.example/lib" }],
        holder: { descriptor: { name: "fx.example/lib" } },
      });
      expect(await read(found)).toBe("a: 1");
      expect(world.opened).toEqual([`${registry}/ocm/component-descriptors/fx.example/lib`]);
    },
  );

  it.each([
    ["changed", { ...lib, provider: "somebody" }, {}],
    [
      "stated by an algorithm that is not known",
      lib,
      { digest: { ...normalDigest(lib), normalisationAlgorithm: "jsonNormalisation/v1" } },
    ],
  ])("is refused where the component version was %s", async (_, stored, more) => {
    const world = new World();
    world.component(stored, { blobs: ["a: 1"] });
    world.component({ componentReferences: [toLib(more)] });
    const selector = { path, resource: { name: "defaults" } };
    await expect(world.find(selector)).rejects.toEqual(refusedWith("DigestMismatch"));
    await expect(world.find(selector, { coverage: "descriptor" })).rejects.toEqual(refusedWith("VerificationFailed"));
  });

  it("needs a digest under a signature, even over the manifest's bytes", async () => {
    const world = new World();
    world.component(lib, { blobs: ["a: 1"] });
    world.component({ componentReferences: [toLib({ digest: null })] });
    const selector = { path, resource: { name: "defaults" } };
    expect(await read(await world.find(selector))).toBe("a: 1");
    for (const coverage of ["bytes", "descriptor"] as const)
      await expect(world.find(selector, { coverage })).rejects.toEqual(refusedWith("VerificationFailed", /no digest/));
  });

  it("is refused where another component version lies in the place", async () => {
    const world = new World();
    world.component({ ...lib, version: "1.0.0" }, { blobs: ["a: 1"], tag: "2.1.0.build-ci.4" });
    world.component({ componentReferences: [toLib({ digest: null })] });
    await expect(world.find({ path, ...resource("defaults") })).rejects.toEqual(
      refusedWith("ComponentInvalid", /what lies there/),
    );
  });

  it("is refused where it goes round in a circle", async () => {
    const world = new World();
    const to = (name: string) => ({ name: "next", version: "1.0.0", componentName: name });
    world.component({ componentReferences: [to("fx.example/b")] });
    world.component({ name: "fx.example/b", componentReferences: [to("fx.example/made")] });
    const selector = { path: [{ name: "next" }, { name: "next" }], ...resource("x") };
    await expect(world.find(selector)).rejects.toEqual(refusedWith("ComponentInvalid", /circle/));
  });

  it.each(["../../../../etc", "fx.example/lib:1", "FX.example/lib", "a b", "x@sha256:0"])(
    "does not follow the name %s",
    async (componentName) => {
      const world = new World();
      world.component({ componentReferences: [toLib({ componentName, digest: null })] });
      await expect(world.find({ path, ...resource("x") })).rejects.toEqual(refusedWith("ComponentInvalid"));
      expect(world.opened).toEqual([]);
    },
  );

  it("lists the references where none is meant", async () => {
    const world = new World();
    world.component({ componentReferences: [toLib()] });
    await expect(world.find({ path: [{ name: "other" }], ...resource("x") })).rejects.toMatchObject({
      code: "NoResourceMatch",
      message: expect.stringContaining("lib 2.1.0+ci.4  to fx.example/lib:2.1.0+ci.4"),
      details: { suggestion: { component: { path: [{ name: "lib" }] } } },
    });
  });
});

describe("what a name promises", () => {
  it.each([
    ["another component", { name: "fx.example/other" }, "1.0.0"],
    ["another version", { version: "0.9.0" }, "1.0.0"],
    ["another build", { version: "1.0.0+ci.5" }, "1.0.0.build-ci.6"],
  ])("is refused where %s lies there", async (_, component, tag) => {
    const world = new World();
    const repository = world.at("ocm/component-descriptors/fx.example/made");
    repository.manifest(
      {
        config: repository.blob("{}"),
        layers: [repository.blob(JSON.stringify(descriptorOf(component)), descriptorType)],
      },
      tag,
    );
    await expect(world.find(resource("x"), { tag })).rejects.toEqual(refusedWith("ComponentInvalid"));
  });

  it("is kept by an alias and by a build's tag", async () => {
    const world = new World();
    world.component({ version: "1.0.0+ci.6", resources: [localResource("a", "a")] }, { blobs: ["a"] });
    world.component({ version: "1.0.0+ci.6", resources: [localResource("a", "a")] }, { blobs: ["a"], tag: "latest" });
    expect(await read(await world.find(resource("a"), { tag: "1.0.0.build-ci.6" }))).toBe("a");
    expect(await read(await world.find(resource("a"), { tag: "latest" }))).toBe("a");
  });
});

describe("a component version", () => {
  const marked = (repository: MemoryRepository, name: string): Descriptor => ({
    ...repository.manifest({ config: repository.blob("{}"), layers: [], annotations: { name } }),
    annotations: { "software.ocm.descriptor": "true" },
  });

  it.each([
    ["no descriptor", (r: MemoryRepository) => ({ config: r.blob("{}"), layers: [r.blob("x", "text/plain")] })],
    [
      "two descriptors",
      (r: MemoryRepository) => ({
        config: r.blob("{}"),
        layers: [r.blob("{}", descriptorType), r.blob("[]", descriptorType)],
      }),
    ],
    ["an index of nothing", () => ({ manifests: [] })],
    ["an index of indexes", (r: MemoryRepository) => ({ manifests: [r.manifest({ manifests: [] })] })],
    ["two marked manifests", (r: MemoryRepository) => ({ manifests: [marked(r, "a"), marked(r, "b")] })],
  ])("is refused with %s", async (_, body) => {
    const world = new World();
    const repository = world.at("ocm/component-descriptors/fx.example/made");
    repository.manifest(body(repository), "1.0.0");
    await expect(world.find(resource("x"))).rejects.toEqual(refusedWith("ComponentInvalid"));
  });
});
