import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startRegistry, testCa, type TestRegistry } from "../testing/registry/registry.ts";
import { descriptorOf, ociEmptyType, ociManifestType, parseDigest, type Descriptor } from "./oci.ts";
import { openLayout, Registry, type Repository } from "./registry.ts";

let server: TestRegistry;
let dir: string;
beforeAll(async () => {
  server = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-library-"));
});
afterAll(async () => {
  await Promise.all([server.close(), rm(dir, { recursive: true, force: true })]);
});
beforeEach(() => void (server.requests.length = 0));

const methods = (): string[] => server.requests.map(({ method }) => method);
const manifestOf = (config: Descriptor, layers: readonly Descriptor[] = []): object => ({
  schemaVersion: 2,
  mediaType: ociManifestType,
  config,
  layers,
});
const code = (name: string): object => expect.objectContaining({ name: "CodedError", code: name }) as object;

describe.each([
  ["a registry", () => new Registry({ insecure: true }).repository(`oci://${server.host}/team/of-registry`)],
  ["a layout", () => openLayout(join(dir, "layout"))],
])("%s", (_, open) => {
  let repository: Repository;
  beforeAll(() => void (repository = open()));

  it("gives back what was pushed, by tag, by digest and by descriptor", async () => {
    const config = await repository.push(Buffer.from("{}"), ociEmptyType);
    expect(config).toEqual(descriptorOf(Buffer.from("{}"), ociEmptyType));
    const bytes = Buffer.from("some content\n");
    const layer = descriptorOf(bytes, "text/plain");
    await repository.pushBlob(layer, (offset) => Readable.from([bytes.subarray(offset)]));
    const root = await repository.pushManifest(manifestOf(config, [layer]), { tag: "1.0.0" });
    for (const reference of ["1.0.0", root.digest, root]) {
      const { descriptor, content } = await repository.manifest(reference);
      expect([descriptor.digest, descriptor.size]).toEqual([root.digest, root.size]);
      expect(content).toMatchObject({ kind: "manifest", config, layers: [layer] });
    }
    expect(await buffer(await repository.fetch(layer))).toEqual(bytes);
    expect(await repository.bytes(layer)).toEqual(bytes);
    expect(await Array.fromAsync(repository.tags())).toContain("1.0.0");
    expect((await Array.fromAsync(repository.walk("1.0.0"))).map(({ kind }) => kind)).toEqual(["manifest"]);
    expect(await repository.exists(layer)).toBe(true);
    expect(await repository.exists(descriptorOf(Buffer.from("other"), "text/plain"))).toBe(false);
  });

  it("lists what refers to a manifest, and forgets what is deleted", async () => {
    const config = await repository.push(Buffer.from("{}"), ociEmptyType);
    const subject = await repository.pushManifest(manifestOf(config), { tag: "subject" });
    const referrer = await repository.pushManifest({ ...manifestOf(config), artifactType: "text/x", subject });
    const listed = await repository.referrers(subject.digest);
    expect(listed).toMatchObject([{ digest: referrer.digest, artifactType: "text/x" }]);
    expect((await repository.manifest(listed[0]!)).descriptor.size).toBe(referrer.size);
    await repository.deleteManifest(referrer.digest);
    expect(await repository.referrers(subject.digest)).toEqual([]);
  });

  it("refuses a manifest that is none, a digest that is none, and more than the caller will hold", async () => {
    await expect(repository.pushManifest({ schemaVersion: 1 })).rejects.toEqual(code("ManifestInvalid"));
    await expect(repository.pushManifest(Buffer.from("no JSON"))).rejects.toEqual(code("ManifestInvalid"));
    await expect(repository.referrers("sha256:short")).rejects.toEqual(code("InvalidDigest"));
    await expect(repository.deleteManifest("sha256:short")).rejects.toEqual(code("InvalidDigest"));
    await expect(repository.resolve("none")).rejects.toEqual(code("NotFound"));
    const big = await repository.push(Buffer.alloc(100), "text/plain");
    await expect(repository.bytes(big, { maxBytes: 99 })).rejects.toEqual(code("ManifestTooLarge"));
  });
});

describe("Registry", () => {
  it("sends nothing for a manifest that is refused, and no blob that is there", async () => {
    const repository = new Registry({ insecure: true }).repository({ registry: server.host, repository: "team/app" });
    await expect(repository.pushManifest({})).rejects.toEqual(code("ManifestInvalid"));
    expect(methods()).toEqual([]);
    await repository.push(Buffer.from("once"), "text/plain");
    server.requests.length = 0;
    await repository.push(Buffer.from("once"), "text/plain");
    expect(methods()).toEqual(["HEAD"]);
  });

  it("mounts what another repository has", async () => {
    const registry = new Registry({ insecure: true });
    const blob = await registry.repository(`${server.host}/from`).push(Buffer.from("mounted"), "text/plain");
    const to = registry.repository(`${server.host}/to`);
    expect(await to.mount(blob, "from")).toBe(true);
    expect(await to.exists(blob)).toBe(true);
  });

  it("keeps to the limits that it is told", async () => {
    const registry = new Registry({ insecure: true, limits: { maxIndexDepth: 1 } });
    const walked = Array.fromAsync(registry.repository(`${server.host}/product`).walk("1.0.0"));
    await expect(walked).resolves.toHaveLength(8);
    const flat = new Registry({ insecure: true, limits: { maxIndexDepth: 0 } });
    const deep = Array.fromAsync(flat.repository(`${server.host}/product`).walk("1.0.0"));
    await expect(deep).rejects.toEqual(code("IndexTooDeep"));
  });

  it("passes over what is refused, without a request", async () => {
    const product = new Registry({ insecure: true }).repository(`${server.host}/product`);
    const visits = await Array.fromAsync(product.walk("1.0.0", { refuse: () => "nothing" }));
    expect(visits.map(({ kind }) => kind)).toEqual(["index", "passed", "passed", "passed"]);
    expect(server.requests.filter(({ method }) => method === "GET")).toHaveLength(1);
  });

  it.each(["oci-layout://somewhere", "registry.example", "https://registry.example/app", "UPPER/Case"])(
    "opens no %s",
    (reference) => {
      expect(() => new Registry().repository(reference)).toThrow(code("InvalidReference"));
    },
  );

  it("asks as whom it is told, in TLS, and names no password", async () => {
    const accounts = { robot: { password: "secret-word" } };
    const secure = await startRegistry({ fixtures: true, tls: {}, auth: { kind: "token", accounts } });
    const as = (password: string): Repository =>
      new Registry({
        tls: { ca: testCa() },
        credentials: { resolve: () => Promise.resolve({ kind: "basic", username: "robot", password }) },
      }).repository(`${secure.host}/flux/app`);
    try {
      expect(await as("secret-word").resolve("1.0.0")).toHaveProperty("digest");
      const refusal: unknown = await as("wrong-word")
        .resolve("1.0.0")
        .catch((error: unknown) => error);
      expect(refusal).toEqual(code("Unauthorized"));
      expect(String(refusal)).not.toContain("wrong-word");
      await expect(new Registry().repository(`${secure.host}/flux/app`).resolve("1.0.0")).rejects.toEqual(
        code("TlsFailed"),
      );
    } finally {
      await secure.close();
    }
  });

  it("stops when it is told", async () => {
    await using registry = new Registry({ insecure: true });
    const app = registry.repository(`${server.host}/flux/app`);
    await expect(app.resolve("1.0.0", AbortSignal.abort())).rejects.toEqual(code("Aborted"));
    const stop = new AbortController();
    const { content } = await app.manifest("1.0.0");
    const [layer] = content.kind === "manifest" ? content.layers : [];
    const stream = await app.fetch(layer!, stop.signal);
    stop.abort();
    await expect(buffer(stream)).rejects.toEqual(code("Aborted"));
  });

  it("tells what arrives for what it is not", async () => {
    const app = new Registry({ insecure: true }).repository(`${server.host}/flux/app`);
    const { content } = await app.manifest("1.0.0");
    const [layer] = content.kind === "manifest" ? content.layers : [];
    const other = { ...layer!, digest: parseDigest(`sha256:${"0".repeat(64)}`) };
    await expect(app.bytes(other)).rejects.toEqual(code("NotFound"));
    await expect(app.bytes({ ...layer!, size: layer!.size - 1 })).rejects.toEqual(code("SizeMismatch"));
  });
});
