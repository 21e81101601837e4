import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultLimits, serverLimits } from "../config.ts";
import { sha256Of } from "../oci/digest.ts";
import { testClient } from "../testing/registry/client.ts";
import { listen, type HttpServer } from "./listen.ts";
import { ociHandler } from "./oci-endpoint.ts";
import type { ArtifactStore, ImageForm, StoredImage } from "../store/store.ts";
import type { ArtifactPath } from "../store/artifact-path.ts";
import { openTestStore } from "../testing/store.ts";

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const signal = new AbortController().signal;
const ociManifest = "application/vnd.oci.image.manifest.v1+json";

let dir: string;
let store: ArtifactStore;
let server: HttpServer;
let ready: boolean;
let missing: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-oci-"));
  store = await openTestStore(join(dir, "data"));
  ready = true;
  missing = [];
  const onMissing = ({ directory, file }: ArtifactPath): unknown => missing.push(`${directory}/${file}`);
  server = await listen(
    ociHandler({ root: join(dir, "data"), kind: "ArtifactRepository", ready: () => ready, onMissing }),
    { address: "127.0.0.1:0", limits: serverLimits },
  );
});
afterEach(async () => {
  await server.close(0);
  await rm(dir, { recursive: true });
});

async function publish(
  content: string | Buffer,
  tag: string | undefined = "1.0.0",
  image?: Partial<ImageForm>,
): Promise<StoredImage> {
  const path = join(dir, "staged");
  await writeFile(path, content);
  const digest = sha256Of(content);
  const blob = { path, digest, size: Buffer.byteLength(content), contentDigest: digest, verbatim: true };
  await store.publish(
    { owner, blob, revision: tag ? `${tag}@${digest}` : digest, metadata: {}, ...(image && { image }) },
    signal,
  );
  const stored = await store.image(owner);
  if (!stored) throw new Error("nothing stored");
  return stored;
}

const ask = (path: string, init?: RequestInit): Promise<Response> =>
  fetch(`http://127.0.0.1:${server.port}${path}`, init);
const errorCode = async (response: Response): Promise<string | undefined> =>
  ((await response.json()) as { errors: { code: string }[] }).errors[0]?.code;

describe("the OCI endpoint", () => {
  test("says that it is a registry", async () => {
    for (const path of ["/v2/", "/v2"]) {
      const response = await ask(path);
      expect([response.status, response.headers.get("docker-distribution-api-version"), await response.json()]).toEqual(
        [200, "registry/2.0", {}],
      );
    }
  });

  test("serves the manifest by its tag, as latest and by digest", async () => {
    const { image } = await publish("one");
    for (const reference of ["1.0.0", "latest", image.descriptor.digest]) {
      for (const method of ["GET", "HEAD"]) {
        const response = await ask(`/v2/apps/podinfo/manifests/${reference}`, { method });
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toBe(ociManifest);
        expect(response.headers.get("docker-content-digest")).toBe(image.descriptor.digest);
        expect(response.headers.get("content-length")).toBe(String(image.bytes.length));
        expect(Buffer.from(await response.arrayBuffer()).equals(method === "GET" ? image.bytes : Buffer.alloc(0))).toBe(
          true,
        );
      }
    }
  });

  test("serves both blobs, whole and in part", async () => {
    const { image } = await publish("0123456789");
    const layer = `/v2/apps/podinfo/blobs/${image.layer.digest}`;
    const whole = await ask(layer);
    expect([whole.status, whole.headers.get("docker-content-digest"), await whole.text()]).toEqual([
      200,
      image.layer.digest,
      "0123456789",
    ]);
    const head = await ask(layer, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "10", ""]);
    const part = await ask(layer, { headers: { range: "bytes=4-" } });
    expect([part.status, part.headers.get("content-range"), await part.text()]).toEqual([
      206,
      "bytes 4-9/10",
      "456789",
    ]);
    expect((await ask(layer, { headers: { range: "bytes=10-" } })).status).toBe(416);
    const config = await ask(`/v2/apps/podinfo/blobs/${image.config.digest}`);
    expect(Buffer.from(await config.arrayBuffer()).equals(image.configBytes)).toBe(true);
    expect(
      (await ask(`/v2/apps/podinfo/blobs/${image.config.digest}`, { headers: { range: "bytes=0-0" } })).status,
    ).toBe(206);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ["is gone", async (path) => await rm(path)],
    ["is shorter", async (path) => await truncate(path, 3)],
    ["is longer", async (path) => await truncate(path, 30)],
  ])("tells of a layer that is asked for where its file %s", async (_, spoil) => {
    const { image } = await publish("0123456789");
    const { path } = (await store.current(owner))!;
    await ask(`/v2/apps/podinfo/blobs/${image.layer.digest}`);
    await ask(`/v2/apps/podinfo/blobs/${sha256Of("something else")}`);
    expect(missing).toEqual([]);
    await spoil(join(dir, "data", path));
    const layer = await ask(`/v2/apps/podinfo/blobs/${image.layer.digest}`);
    expect([layer.status, await errorCode(layer)]).toEqual([404, "BLOB_UNKNOWN"]);
    expect(missing).toEqual([path]);
    expect((await ask(`/v2/apps/podinfo/manifests/${image.descriptor.digest}`)).status).toBe(200);
  });

  test("tells of a repository of which nothing is stored, and of no other paths", async () => {
    for (const path of ["/v2/apps/podinfo/manifests/latest", "/v2/apps/Podinfo/manifests/latest", "/v2/x", "/v2/"])
      await ask(path);
    expect(missing).toEqual(["artifactrepository/apps/podinfo/latest.tar.gz"]);
  });

  test("lists the tags in order and by pages", async () => {
    await publish("one");
    const list = async (query: string): Promise<unknown[]> => {
      const response = await ask(`/v2/apps/podinfo/tags/list${query}`);
      return [await response.json(), response.headers.get("link")];
    };
    const tags = (...names: string[]): object => ({ name: "apps/podinfo", tags: names });
    expect(await list("")).toEqual([tags("1.0.0", "latest"), null]);
    expect(await list("?n=1")).toEqual([tags("1.0.0"), '</v2/apps/podinfo/tags/list?n=1&last=1.0.0>; rel="next"']);
    expect(await list("?n=1&last=1.0.0")).toEqual([tags("latest"), null]);
    expect(await list("?n=2")).toEqual([tags("1.0.0", "latest"), null]);
    expect(await list("?n=0")).toEqual([tags(), null]);
    expect(await list("?last=zzz")).toEqual([tags(), null]);
    expect((await ask("/v2/apps/podinfo/tags/list?n=x")).status).toBe(400);
  });

  test("has only latest for what was made from a digest, and each tag once", async () => {
    const list = async (): Promise<unknown> => await (await ask("/v2/apps/podinfo/tags/list")).json();
    await publish("one", undefined);
    await store.remove(owner);
    await publish("one", "");
    expect(await list()).toMatchObject({ tags: ["latest"] });
    await publish("two", "latest");
    expect(await list()).toMatchObject({ tags: ["latest"] });
  });

  test("moves the tags at once, and serves the old manifest by digest until it is deleted", async () => {
    const { image: old } = await publish("one");
    const { image } = await publish("two", "1.0.1");
    expect((await ask("/v2/apps/podinfo/manifests/latest")).headers.get("docker-content-digest")).toBe(
      image.descriptor.digest,
    );
    expect((await ask("/v2/apps/podinfo/manifests/1.0.0")).status).toBe(404);
    expect((await ask(`/v2/apps/podinfo/manifests/${old.descriptor.digest}`)).status).toBe(200);
    expect(await (await ask(`/v2/apps/podinfo/blobs/${old.layer.digest}`)).text()).toBe("one");
    await publish("three");
    expect((await ask(`/v2/apps/podinfo/manifests/${old.descriptor.digest}`)).status).toBe(404);
    expect((await ask(`/v2/apps/podinfo/blobs/${old.layer.digest}`)).status).toBe(404);
  });

  test("has no referrers", async () => {
    const { image } = await publish("one");
    for (const query of ["", "?artifactType=application/x"]) {
      const response = await ask(`/v2/apps/podinfo/referrers/${image.descriptor.digest}${query}`);
      expect(response.headers.get("content-type")).toBe("application/vnd.oci.image.index.v1+json");
      expect([response.status, await response.json()]).toEqual([
        200,
        { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] },
      ]);
    }
    expect(await errorCode(await ask("/v2/apps/podinfo/referrers/latest"))).toBe("DIGEST_INVALID");
  });

  test.each([
    ["/v2/apps/podinfo/manifests/absent", 404, "MANIFEST_UNKNOWN"],
    [`/v2/apps/podinfo/manifests/${sha256Of("absent")}`, 404, "MANIFEST_UNKNOWN"],
    ["/v2/apps/podinfo/manifests/sha256:nonsense", 404, "MANIFEST_UNKNOWN"],
    [`/v2/apps/podinfo/blobs/${sha256Of("absent")}`, 404, "BLOB_UNKNOWN"],
    ["/v2/apps/podinfo/blobs/latest", 400, "DIGEST_INVALID"],
    ["/v2/apps/absent/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/apps/absent/tags/list", 404, "NAME_UNKNOWN"],
    ["/v2/podinfo/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/a/apps/podinfo/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/apps/podinfo/tags/other", 404, "NAME_UNKNOWN"],
    ["/v2/_catalog", 404, "NAME_UNKNOWN"],
    ["/v1/", 404, "NAME_UNKNOWN"],
    ["/v2/apps%2fpodinfo/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/..%2f..%2fetc/x/manifests/latest", 404, "NAME_UNKNOWN"],
    ["/v2/apps/podinfo/manifests/latest%00", 404, "NAME_UNKNOWN"],
    ["/v2/Apps/podinfo/manifests/latest", 404, "NAME_UNKNOWN"],
  ])("%s: %i %s", async (path, status, code) => {
    await publish("one");
    const response = await ask(path);
    expect([response.status, response.headers.get("content-type"), await errorCode(response)]).toEqual([
      status,
      "application/json",
      code,
    ]);
  });

  test.each(["POST", "PUT", "PATCH", "DELETE"])("takes no %s", async (method) => {
    const response = await ask("/v2/apps/podinfo/blobs/uploads/", { method });
    expect([response.status, response.headers.get("allow"), await errorCode(response)]).toEqual([
      405,
      "GET, HEAD",
      "UNSUPPORTED",
    ]);
  });

  test("answers 503 while it is not to serve", async () => {
    await publish("one");
    ready = false;
    const response = await ask("/v2/apps/podinfo/manifests/latest");
    expect([response.status, response.headers.get("retry-after"), await errorCode(response)]).toEqual([
      503,
      "5",
      "UNAVAILABLE",
    ]);
  });

  test("serves a chart with the config that Helm reads", async () => {
    const bytes = Buffer.from('{"name":"chart","version":"0.1.0"}');
    const { image } = await publish("chart", "0.1.0", {
      layerMediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
      config: { mediaType: "application/vnd.cncf.helm.config.v1+json", bytes },
    });
    const manifest = (await (await ask("/v2/apps/podinfo/manifests/0.1.0")).json()) as {
      config: object;
      layers: object[];
    };
    expect(manifest.config).toEqual(image.config);
    expect(manifest.layers).toMatchObject([{ mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip" }]);
    expect(await (await ask(`/v2/apps/podinfo/blobs/${image.config.digest}`)).text()).toBe(bytes.toString());
  });

  test("is read by a registry client, to the last byte", async () => {
    const content = Buffer.alloc(5_000_000, "strata");
    const { image } = await publish(content);
    const client = testClient();
    const repository = client.repository(
      { registry: `127.0.0.1:${server.port}`, repository: "apps/podinfo" },
      { insecure: true, timeoutMs: 5000, limits: defaultLimits },
    );
    const root = await repository.resolve("1.0.0", signal);
    expect(root).toMatchObject(image.descriptor);
    expect((await buffer(await repository.fetch(root, signal))).equals(image.bytes)).toBe(true);
    expect((await buffer(await repository.fetch(image.layer, signal))).equals(content)).toBe(true);
    expect(await repository.referrers(root.digest, signal)).toEqual([]);
    const tags: string[] = [];
    for await (const page of repository.tags(signal)) tags.push(...page);
    expect(tags).toEqual(["1.0.0", "latest"]);
    await client.close();
  });
});
