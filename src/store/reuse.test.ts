import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import type { ArtifactStore } from "./store.ts";
import { openTestStore } from "../testing/store.ts";

const never = new AbortController().signal;
const owner = { kind: "ArtifactRepository", namespace: "apps", name: "one" };
const digest = sha256Of("content");
let root: string;
let store: ArtifactStore;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-reuse-"));
  store = await openTestStore(join(root, "storage"), {
    retention: { ttlMs: 1000, records: 2 },
    advertisedAddress: "localhost",
  });
  const path = join(root, "staged");
  await writeFile(path, "content");
  await store.publish(
    { owner, blob: { path, digest, size: 7, contentDigest: digest, verbatim: true }, revision: digest, metadata: {} },
    never,
  );
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

it("gives a stored file another name, which outlives the first", async () => {
  const to = join(root, "again");
  expect(await store.reuse(owner, digest, to)).toBe(true);
  expect((await stat(to)).nlink).toBe(2);
  await store.remove(owner);
  expect(await readFile(to, "utf8")).toBe("content");
});

it("can be published for another owner", async () => {
  const to = join(root, "again");
  await store.reuse(owner, digest, to);
  const other = { ...owner, name: "two" };
  const artifact = await store.publish(
    {
      owner: other,
      blob: { path: to, digest, size: 7, contentDigest: digest, verbatim: true },
      revision: digest,
      metadata: {},
    },
    never,
  );
  await store.remove(owner);
  expect(await store.verify(other, artifact, never)).toBe("ok");
});

it.each([
  ["another digest", owner, sha256Of("other")],
  ["another owner", { ...owner, name: "nobody" }, digest],
])("says where there is no such file: %s", async (_, who, what) => {
  expect(await store.reuse(who, what, join(root, "again"))).toBe(false);
});
