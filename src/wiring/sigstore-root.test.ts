import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { controllerConfig } from "../config.ts";
import { createMetrics } from "../runtime/metrics.ts";
import { TestSigstore } from "../testing/signatures/sigstore.ts";
import { TestTufRepository, type TufMirror } from "../testing/signatures/tuf-repository.ts";
import { controllerRoot } from "./sigstore-root.ts";

const { signal } = new AbortController();
const trustedRoot = new TestSigstore().trustedRoot();

let dir: string;
let repository: TestTufRepository;
let mirror: TufMirror;
let lines: [string, string][];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-root-"));
  repository = new TestTufRepository();
  repository.publish({ trustedRoot });
  mirror = await repository.serve();
  lines = [];
  await writeFile(join(dir, "root.json"), repository.anchor);
});
afterEach(async () => {
  await mirror.close();
  await rm(dir, { recursive: true, force: true });
});

const metrics = createMetrics({ kind: { group: "g", version: "v1", kind: "Kind" }, concurrent: 1 });

async function open(...args: readonly string[]) {
  const flags = [`--storage-path=${join(dir, "data")}`, `--sigstore-tuf-mirror=${mirror.url}`, ...args];
  const log = (level: string, message: string): void => void lines.push([level, message]);
  return await controllerRoot(controllerConfig(flags, {}), { logger: { log }, metrics }, signal);
}
const own = (): string => `--sigstore-tuf-root=${join(dir, "root.json")}`;
const refreshed = async (): Promise<string | undefined> =>
  /^strata_sigstore_root_refreshed_timestamp_seconds (.*)$/m.exec((await metrics.render()).body)?.[1];

describe("the controller's trusted root of Sigstore", () => {
  it("comes from the mirror by the root.json of the flags, lies in the storage, and is told of", async () => {
    const read = await open(own());
    expect(mirror.requests).toEqual([]);
    expect(await read?.(signal)).toBe(trustedRoot);
    expect(await readdir(join(dir, "data", ".sigstore"))).toHaveLength(1);
    expect(lines).toEqual([["info", "the trusted root of Sigstore was refreshed"]]);
    expect(Number(await refreshed())).toBeGreaterThan(1_700_000_000);
  });

  it("is nobody's to ask for with --sigstore-tuf=false, so that the one that came along counts", async () => {
    expect(await open(own(), "--sigstore-tuf=false")).toBeUndefined();
    expect(mirror.requests).toEqual([]);
  });

  it("logs a failure, and that nothing was refreshed yet", async () => {
    mirror.fail((_, response) => (response.writeHead(500).end(), true));
    const read = await open();
    expect(JSON.parse((await read?.(signal)) ?? "")).toMatchObject({ tlogs: expect.anything() as unknown });
    expect(lines).toEqual([["error", "the trusted root of Sigstore could not be refreshed"]]);
    expect(await refreshed()).toBe("0");
  });

  it("connects to no link-local address, wherever a mirror leads", async () => {
    mirror.fail((_, response) => (response.writeHead(302, { location: "http://169.254.169.254/x" }).end(), true));
    await expect((await open(own()))?.(signal)).rejects.toMatchObject({
      code: "DependencyNotReady",
      cause: { code: "EndpointRefused" },
    });
  });

  it.each([
    ["--sigstore-tuf-mirror=ftp://mirror.test", /--sigstore-tuf-mirror is "ftp:\/\/mirror.test"; write a URL/],
    [
      "--sigstore-tuf-mirror=https://user:hunter2@mirror.test",
      /^--sigstore-tuf-mirror carries a user or password(?!.*hunter2)/,
    ],
    ["--sigstore-tuf-mirror=mirror.test", /write a URL with https/],
    ["--sigstore-tuf-mirror=user:hunter2@mirror.test", /^--sigstore-tuf-mirror is (?!.*hunter2).*mirror\.test"; write/],
    ["--sigstore-tuf-mirror=https://user:hun/ter2@mirror.test", /^--sigstore-tuf-mirror is (?!.*hun).*mirror\.test"/],
    ["--sigstore-tuf-root=/nowhere/root.json", /--sigstore-tuf-root \/nowhere\/root.json cannot be used/],
    [`--sigstore-tuf-root=${import.meta.filename}`, /cannot be used: is not JSON/],
  ])("refuses %s at the start", async (flag, message) => {
    await expect(open(flag)).rejects.toMatchObject({
      code: "InvalidSpec",
      message: expect.stringMatching(message) as unknown,
    });
  });
});
