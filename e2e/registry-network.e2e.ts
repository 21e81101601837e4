import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { tarball } from "./content.ts";
import { measureStrata, strataJson, strataRefusal, type BuildReport, type Measured } from "./commands.ts";
import { startChunkingProxy, type HttpProxy } from "./http-proxy.ts";
import { startCuttingProxy, type CuttingProxy } from "./proxy.ts";
import { digestOf, fluxArtifact, pushArtifact } from "./push.ts";
import { startRegistry, type Registry } from "./registry.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const megabyte = 1_000_000;

let registry: Registry;
let proxy: HttpProxy;
let cutting: CuttingProxy;
/** 5 MB that do not compress. */
const noise = randomBytes(5 * megabyte);

beforeAll(async () => {
  registry = await startRegistry(workspace);
  [proxy, cutting] = await Promise.all([
    startChunkingProxy(workspace, registry.port),
    startCuttingProxy(workspace, registry.port),
  ]);
  await pushArtifact(registry, "raw", "1.0.0", { layers: [{ mediaType: "application/octet-stream", bytes: noise }] });
});

const buildArgs = (host: string, out: string): string[] => [
  "build",
  `oci://${host}/raw:1.0.0`,
  "--insecure",
  "--operation",
  "Copy",
  "-o",
  out,
];

let outputs = 0;
async function buildRaw(host: string): Promise<{ report: BuildReport; bytes: Buffer }> {
  const out = join(await workspace.directory("out"), String(outputs++));
  const report = await strataJson<BuildReport>([...buildArgs(host, out), "--filename", "noise"]);
  return { report, bytes: await readFile(join(out, "noise")) };
}

describe("a download", () => {
  it("of chunked answers without a length is whole", async () => {
    const [direct, chunked] = await Promise.all([buildRaw(registry.host), buildRaw(proxy.host)]);
    expect(chunked.report).toEqual(direct.report);
    expect(digestOf(chunked.bytes)).toBe(digestOf(noise));
  });

  it("goes on where its connection was cut, again and again", async () => {
    cutting.cutAfter(2 * megabyte);
    const before = await registry.requests();
    const { bytes } = await buildRaw(cutting.host);
    expect(digestOf(bytes)).toBe(digestOf(noise));
    expect(cutting.cuts()).toBeGreaterThanOrEqual(2);
    const blobs = (await registry.requests())
      .slice(before.length)
      .filter(({ method, path }) => method === "GET" && path.includes("/blobs/"));
    expect(blobs.map(({ status }) => status)).toEqual([200, ...blobs.slice(1).map(() => 206)]);
  });

  it("that never gets anywhere is given up, and leaves nothing", async () => {
    cutting.cutAfter(0);
    const out = join(workspace.dir, "never.tar.gz");
    const error = await strataRefusal(buildArgs(cutting.host, out));
    expect(error.code).toBe("RegistryUnreachable");
    await expect(stat(out)).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("a busy registry", () => {
  it.each([
    ["429 with Retry-After", [429], { "retry-after": "1" }],
    ["503, twice", [503, 503], {}],
    ["502, then 504", [502, 504], {}],
  ])("is waited for and asked again: %s", async (_, statuses, headers) => {
    const before = proxy.statuses.length;
    proxy.refuse(statuses, headers);
    const started = performance.now();
    const { bytes } = await buildRaw(proxy.host);
    expect(digestOf(bytes)).toBe(digestOf(noise));
    expect(proxy.statuses.slice(before)).toEqual(expect.arrayContaining(statuses));
    if ("retry-after" in headers) expect(performance.now() - started).toBeGreaterThan(1000);
  });

  it("is left alone when it asks for an hour", async () => {
    proxy.refuse([429], { "retry-after": "3600" });
    const error = await strataRefusal(buildArgs(proxy.host, join(workspace.dir, "later.tar.gz")));
    expect(error.code).toBe("RateLimited");
  });

  it("that is none is told of in words", async () => {
    const error = await strataRefusal(buildArgs("127.0.0.1:1", join(workspace.dir, "nobody.tar.gz")));
    expect(error.code).toBe("RegistryUnreachable");
    expect(error.message).toContain("127.0.0.1:1");
  });
});

describe("100 MB of manifests with nothing to change", () => {
  const files = 1000;
  let layer: Buffer;
  beforeAll(async () => {
    layer = await tarball({ seed: "100 MB", files, fileBytes: 100_000 });
    await pushArtifact(registry, "big", "1.0.0", fluxArtifact(layer));
  });

  const buildBig = async (): Promise<Measured> =>
    await measureStrata(workspace, [
      "build",
      `oci://${registry.host}/big:1.0.0`,
      "--insecure",
      "-o",
      join(workspace.dir, "big.tar.gz"),
      "--output",
      "json",
    ]);

  it("take little time and memory, and keep every byte", async () => {
    // The goal is 1.5 s on a machine of our own. Others may share this one, whose caches they push ours out of: a second
    // run is granted, and a second on top.
    let best = await buildBig();
    if (best.cpuMs > 1500) {
      const again = await buildBig();
      if (again.cpuMs < best.cpuMs) best = again;
    }
    process.stderr.write(
      `e2e: 100 MB took ${Math.round(best.cpuMs)} ms of CPU and ${Math.round(best.peakRssBytes / megabyte)} MB of memory at most\n`,
    );
    expect(best.code).toBe(0);
    expect(JSON.parse(best.stdout)).toMatchObject({
      operation: "Extract",
      digest: digestOf(layer),
      size: layer.length,
    });
    expect(digestOf(await readFile(join(workspace.dir, "big.tar.gz")))).toBe(digestOf(layer));
    expect(best.cpuMs).toBeLessThan(2500);
    expect(best.peakRssBytes).toBeLessThan(200 * 1024 * 1024);
  });
});
