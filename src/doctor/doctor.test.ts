import { afterAll, describe, expect, it } from "vitest";
import { testAccess, testClient } from "../testing/registry/client.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../testing/registry/registry.ts";
import { vendors } from "../testing/registry/vendors/zoo.ts";
import type { Check } from "./check.ts";
import { diagnose, type Diagnosis } from "./doctor.ts";

const signal = new AbortController().signal;
const client = testClient({ retry: { attempts: 6, baseMs: 1, maxMs: 3, maxWaitMs: 1000 } });
afterAll(() => client.close());

const ann = { resolve: () => Promise.resolve({ kind: "basic", username: "ann", password: "pw-of-ann" } as const) };
const accounts = { ann: { password: "pw-of-ann" } };

function fill({ store }: TestRegistry): void {
  const layers = [{ mediaType: "text/plain", bytes: Buffer.from("some text") }];
  for (const tag of ["v1", "v2", "v3"]) store.putArtifact("team/app", { tag, artifactType: "application/x", layers });
}

async function examined(registry: TestRegistry, options: { tag?: string; write?: boolean } = {}): Promise<Diagnosis> {
  const access = testAccess(registry, registry.auth === undefined ? {} : { credentials: ann });
  const target = { registry: registry.host, repository: "team/app" };
  const { tag, write = false } = options;
  return await diagnose({ registry: client, target, access, version: { tag }, write }, signal);
}

async function start(options: RegistryOptions = {}): Promise<TestRegistry> {
  const registry = await startRegistry(options);
  fill(registry);
  return registry;
}

const named = ({ checks }: Diagnosis, name: string): Check | undefined => checks.find((one) => one.name === name);
const tagsIn = ({ store }: TestRegistry): string[] => [...store.repository("team/app").tags.keys()];

/** What is not as good as it can be, or special to it; everything else is `ok` for each. */
const special: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "Docker Hub": { delete: "limited: not deleted; TAG stays" },
  GHCR: { referrers: "limited: no API (refused with 404); no list under the fallback tag" },
  GitLab: { referrers: "limited: no API (refused with 404); no list under the fallback tag" },
  Harbor: { head: "limited: Content-Length is 77, by GET it is SIZE" },
  Quay: { tags: "limited: 3 tags on the first page; n is ignored" },
  ECR: {
    auth: "ok: Basic",
    head: "limited: Content-Length is 0, by GET it is SIZE; no Docker-Content-Digest",
    chunks: "ok: two chunks; Range stays 0-9",
  },
  "Google AR, GCR": { chunks: "limited: chunks are refused with 400" },
  Artifactory: {
    auth: "ok: Basic",
    head: "limited: refused with 403",
    tags: "limited: 3 tags on the first page; n works; Link leads to a 404; last works",
  },
  Nexus: {
    auth: "ok: Basic",
    referrers: "limited: no API (refused with 404); no list under the fallback tag",
    tags: "limited: 3 tags on the first page; n works; Link leads to a 400; last works",
  },
  zot: { chunks: "ok: two chunks; Range stays 0-9" },
  "distribution 2": { referrers: "limited: no API (refused with 404); no list under the fallback tag" },
  "distribution 3": {
    referrers: "limited: no API (refused with 404); no list under the fallback tag",
    tags: "limited: 3 tags on the first page; n=1000 is refused with 400; n works; Link works; last works",
  },
  Gitea: {
    referrers: "limited: no API (refused with 404); no list under the fallback tag",
    chunks: "limited: chunks are refused with 400",
  },
};

const usual: Readonly<Record<string, string>> = {
  auth: 'ok: Bearer, tokens from HOST for "test-registry"',
  read: "ok: v3: application/vnd.oci.image.manifest.v1+json, SIZE bytes, DIGEST",
  anonymous: "limited: refused to strangers",
  head: "ok: says what GET brings",
  digest: "ok: Docker-Content-Digest is that of the bytes",
  range: "ok: 206 bytes 1-1/2",
  referrers: "ok: API with 0 listed; no list under the fallback tag",
  rate: "ok: no headers about rate limits",
  tags: "ok: 3 tags on the first page; n works; Link works; last works",
  push: "ok: a blob in one PUT",
  chunks: "ok: two chunks",
  mount: "ok: 201 for a blob of its own",
  manifest: "ok: a manifest under TAG",
  delete: "ok: deleted by digest",
};

describe("doctor", () => {
  it.each(vendors.map((vendor) => [vendor.name, vendor] as const))("says what %s can do", async (name, vendor) => {
    const kind = vendor.can.auth === "Basic" ? "basic" : "token";
    await using registry = await start({ ...vendor.options, auth: { kind, accounts } });
    const guard = vendor.guard?.(registry);
    if (guard) registry.faults.guard = guard;
    const diagnosis = await examined(registry, { write: true });
    const size = registry.store.manifest("team/app", "v3")!.stored.bytes.length;
    const short = (text: string): string =>
      text
        .replace(/strata-doctor-[0-9a-f]{12}/, "TAG")
        .replace(registry.host, "HOST")
        .replace(/sha256:[0-9a-f]{64}/, "DIGEST")
        .replace(` ${size} bytes`, " SIZE bytes")
        .replace(`it is ${size}`, "it is SIZE");
    const lines = diagnosis.checks.map((one) => [one.name, `${one.outcome}: ${short(one.found)}`]);
    expect(Object.fromEntries(lines)).toEqual({ ...usual, ...special[name] });
    expect(diagnosis.reads).toBe(true);
    expect(JSON.stringify(diagnosis)).not.toContain("pw-of-ann");
    if (vendor.can.deletes === "yes") expect(tagsIn(registry)).toEqual(["v1", "v2", "v3"]);
  });

  it("changes nothing unless it is told to", async () => {
    await using registry = await start();
    await examined(registry);
    expect(registry.requests.filter(({ method }) => method !== "GET" && method !== "HEAD")).toEqual([]);
  });

  it("deletes nothing but its own", async () => {
    await using registry = await start();
    const kept = [...registry.store.repository("team/app").manifests.keys()];
    await examined(registry, { write: true });
    expect([...registry.store.repository("team/app").manifests.keys()]).toEqual(kept);
    const deleted = registry.requests.filter(({ method, path }) => method === "DELETE" && path.includes("/manifests/"));
    expect(deleted).toHaveLength(1);
    expect(kept).not.toContain(deleted[0]!.path.split("/").at(-1));
  });

  it.each([
    ["whether strangers may read", {}, { name: "anonymous", outcome: "ok" }],
    ["that nothing is asked for", {}, { name: "auth", found: "nothing is asked for at /v2/" }],
    ["that ranges are ignored", { ranges: false }, { name: "range", found: "ignored: the whole comes" }],
    ["that it mounts nothing", { mounts: false }, { name: "mount", outcome: "limited" }],
    ["that chunks must be large", { chunkMinBytes: 16 * 1024 * 1024 }, { name: "chunks", outcome: "skipped" }],
  ])("says %s", async (_, options, expected) => {
    await using registry = await start(options);
    const diagnosis = await examined(registry, { write: true });
    expect(named(diagnosis, expected.name)).toMatchObject(expected);
  });

  it("shows what is said about rate limits", async () => {
    await using registry = await start();
    const headers = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "7;w=21600" };
    registry.faults.guard = () => ({ headers });
    expect(named(await examined(registry), "rate")?.found).toBe(
      "ratelimit-limit: 100;w=21600, ratelimit-remaining: 7;w=21600",
    );
  });

  it("catches a range that is not what was asked for", async () => {
    await using registry = await start();
    registry.faults.guard = ({ url }) => (url.includes("/blobs/") ? { status: 416 } : undefined);
    expect(named(await examined(registry), "range")).toMatchObject({ outcome: "fails" });
  });

  it("catches a digest that is not that of the bytes", async () => {
    await using registry = await start();
    const digest = `sha256:${"0".repeat(64)}`;
    registry.faults.guard = ({ url }) =>
      url.includes("/manifests/v1") ? { headers: { "docker-content-digest": digest } } : undefined;
    expect(named(await examined(registry, { tag: "v1" }), "digest")?.outcome).toBe("fails");
  });

  it("says why reading fails, and goes on with what is left", async () => {
    await using registry = await start();
    const diagnosis = await examined(registry, { tag: "v9" });
    expect(diagnosis.reads).toBe(false);
    expect(named(diagnosis, "read")).toMatchObject({ outcome: "fails", error: { code: "NotFound" } });
    expect(named(diagnosis, "tags")?.outcome).toBe("ok");
  });

  it("asks no more of who cannot be reached", async () => {
    const registry = await start();
    await registry.close();
    const { reads, checks } = await examined(registry);
    expect(reads).toBe(false);
    expect(checks.map(({ name, error }) => [name, error?.code])).toEqual([
      ["auth", "RegistryUnreachable"],
      ["read", "RegistryUnreachable"],
    ]);
  });

  it("leaves nothing when pushing is refused", async () => {
    await using registry = await start();
    registry.faults.guard = ({ method }) => (method === "POST" ? { status: 403 } : undefined);
    const diagnosis = await examined(registry, { write: true });
    expect(named(diagnosis, "push")).toMatchObject({ outcome: "fails", error: { code: "Forbidden" } });
    expect(named(diagnosis, "delete")?.outcome).toBe("skipped");
    expect(diagnosis.reads).toBe(true);
  });
});
