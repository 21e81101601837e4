import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import type { Artifact, ArtifactStore, KnownRequest, Made } from "./store.ts";
import { openTestStore } from "../testing/store.ts";

const never = new AbortController().signal;
const owner = { kind: "ArtifactRepository", namespace: "apps", name: "one" };
const uid = "uid-1";
let root: string;
let clock: number;
let store: ArtifactStore;

const open = async (): Promise<ArtifactStore> =>
  await openTestStore(join(root, "storage"), { advertisedAddress: "localhost", now: () => clock });
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-known-"));
  clock = Date.now();
  store = await open();
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

const madeBy = (recipe: string): Made => ({
  recipe,
  verbatim: false,
  skipped: { symlinks: 0, special: 0, ignored: 0 },
});
async function publish(content: string, made?: Made): Promise<Artifact> {
  const path = join(root, "staged");
  await writeFile(path, content);
  const digest = sha256Of(content);
  const blob = { path, digest, size: content.length, contentDigest: digest, verbatim: false };
  return await store.publish(
    { owner, uid, blob, revision: `1.0.0@${digest}`, metadata: {}, ...(made && { made }) },
    never,
  );
}
const find = async (recipe: string, more: Partial<KnownRequest> = {}): Promise<string | undefined> =>
  (await store.known({ owner, uid, recipes: ["none", recipe], isIntact: () => false, ...more }, never))?.blob.digest;
const pathOf = ({ path }: Artifact): string => join(root, "storage", path);
/** Other bytes of the same size. */
const spoil = async (artifact: Artifact): Promise<void> => await writeFile(pathOf(artifact), "x".repeat(artifact.size));

describe("what was made by a recipe", () => {
  it("is known while its file is, also to the next process", async () => {
    const one = await publish("one", madeBy("a"));
    store = await open();
    expect(await find("a")).toBe(one.digest);
    expect(await find("b")).toBeUndefined();
    const two = await publish("two", madeBy("b"));
    expect([await find("a"), await find("b")]).toEqual([one.digest, two.digest]);
    clock += 61_000;
    await store.collect(owner);
    expect([await find("a"), await find("b")]).toEqual([undefined, two.digest]);
  });

  it.each<[string, Partial<KnownRequest>]>([
    ["another owner", { owner: { ...owner, name: "two" } }],
    ["a later object of that name", { uid: "uid-2" }],
  ])("is not known to %s", async (_, more) => {
    await publish("one", madeBy("a"));
    expect(await find("a", more)).toBeUndefined();
  });

  it("is not known where nobody has said", async () => {
    await publish("one");
    expect(await find("a")).toBeUndefined();
  });

  it("is looked at before it counts: a file that is gone, shorter or another does not", async () => {
    for (const harm of [
      spoil,
      (artifact: Artifact) => rm(pathOf(artifact)),
      (artifact: Artifact) => writeFile(pathOf(artifact), ""),
    ]) {
      const artifact = await publish("one", madeBy("a"));
      await harm(artifact);
      expect(await find("a")).toBeUndefined();
    }
  });

  it("is not read again where this process has read it, but its size is looked at", async () => {
    const artifact = await publish("one", madeBy("a"));
    await spoil(artifact);
    const isIntact = (digest: string): boolean => digest === artifact.digest;
    expect(await find("a", { isIntact })).toBe(artifact.digest);
    await writeFile(pathOf(artifact), "");
    expect(await find("a", { isIntact })).toBeUndefined();
  });

  it("can be published again as it is, and is not deleted with what it replaced", async () => {
    const one = await publish("one", madeBy("a"));
    const two = await publish("two", madeBy("b"));
    const { blob, made } = (await store.known({ owner, uid, recipes: ["a"], isIntact: () => false }, never))!;
    clock += 59_000;
    const request = { owner, uid, blob, made, metadata: { version: "3" }, revision: `3.0.0@${blob.contentDigest}` };
    const again = await store.publish(request, never);
    expect(again).toMatchObject({ digest: one.digest, revision: request.revision, metadata: request.metadata });
    clock += 59_000;
    await store.collect(owner);
    expect(await store.verify(owner, again, never)).toBe("ok");
    clock += 2000;
    await store.collect(owner);
    expect([await find("a"), await find("b")]).toEqual([one.digest, undefined]);
    expect(await readdir(join(pathOf(again), ".."))).not.toContain(two.path.split("/").at(-1));
  });
});
