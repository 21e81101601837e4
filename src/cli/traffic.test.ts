import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

/** What the commands cost a registry; what a reconcile does is in reconciler/traffic.test.ts. */

let source: TestRegistry;
let target: TestRegistry;
let dir: string;
beforeEach(async () => {
  source = await startRegistry({ fixtures: true });
  target = await startRegistry();
  dir = await mkdtemp(join(tmpdir(), "strata-cli-traffic-"));
});
afterEach(async () => {
  await Promise.all([source.close(), target.close(), rm(dir, { recursive: true, force: true })]);
});

async function strata(...args: string[]): Promise<void> {
  const { code, stderr } = await runStrata([...args, "--insecure"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
}

const lines = ({ requests }: TestRegistry): string[] =>
  requests.map(({ method, path }) => `${method} ${path.replace("/v2/", "").replace(/uploads\/.*/, "uploads")}`);
const sizes = (bytes: readonly number[]): number[] => bytes.toSorted((a, b) => a - b);
const sum = (bytes: Iterable<number>): number => [...bytes].reduce((total, one) => total + one, 0);

it("strata build asks for the manifest by its tag, and for its layer", async () => {
  const { stored } = source.store.manifest("flux/app", "1.0.0")!;
  const { layers } = JSON.parse(stored.bytes.toString("utf8")) as { layers: { digest: string; size: number }[] };
  await strata("build", `oci://${source.host}/flux/app:1.0.0`, "-o", join(dir, "out"));
  expect(lines(source)).toEqual(["GET flux/app/manifests/1.0.0", `GET flux/app/blobs/${layers[0]!.digest}`]);
  expect(sum(source.requests.map(({ sent }) => sent))).toBe(stored.bytes.length + layers[0]!.size);
});

it("strata copy reads every manifest and blob once, and sends it once", async () => {
  await strata("copy", `oci://${source.host}/product:1.0.0`, `oci://${target.host}/copy`);
  const { blobs, manifests } = target.store.repository("copy");
  // The empty config stands in its descriptor.
  const fetched = [...blobs].filter(([digest]) => digest !== sha256Of("{}"));
  const root = source.store.manifest("product", "1.0.0")!.digest;
  expect([...manifests.keys()]).toContain(root);
  const read = [
    ...[...manifests.keys()].filter((digest) => digest !== root).map((digest) => `GET product/manifests/${digest}`),
    ...fetched.map(([digest]) => `GET product/blobs/${digest}`),
  ];
  expect(lines(source).toSorted()).toEqual(["GET product/manifests/1.0.0", ...read].toSorted());
  const uploads = target.requests.filter(({ method, path }) => method === "PUT" && path.includes("/uploads/"));
  expect(sizes(uploads.map(({ received }) => received))).toEqual(sizes([...blobs.values()].map(({ size }) => size)));
  const asked = lines(target).filter((line) => line.startsWith("HEAD copy/blobs/"));
  expect(asked.toSorted()).toEqual([...blobs.keys()].map((digest) => `HEAD copy/blobs/${digest}`).toSorted());
  expect(target.requests.filter(({ method }) => method === "PATCH")).toEqual([]);
  const bytes =
    sum(fetched.map(([, { size }]) => size)) + sum([...manifests.values()].map(({ bytes }) => bytes.length));
  expect(sum(source.requests.map(({ sent }) => sent))).toBe(bytes);
});
