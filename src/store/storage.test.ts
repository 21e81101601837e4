import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { codeOf } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { StagedBlob } from "../oci/types.ts";
import type { Artifact, ArtifactStore, Owner } from "./store.ts";
import { openStorage, type StorageOptions } from "./storage.ts";

const owner: Owner = { kind: "ArtifactRepository", namespace: "apps", name: "podinfo" };
const signal = new AbortController().signal;

let dir: string;
let clock: number;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-storage-"));
  clock = Date.parse("2026-11-21T12:00:00Z");
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const openStore = (options: Partial<StorageOptions> = {}): Promise<ArtifactStore> =>
  openStorage({
    root: join(dir, "data"),
    advertisedAddress: "strata.example.",
    retention: { ttlMs: 60_000, records: 2 },
    verifyConcurrency: 2,
    now: () => clock,
    ...options,
  });

let staged = 0;
async function stage(content: string | Buffer, contentDigest = sha256Of(content), where = dir): Promise<StagedBlob> {
  const path = join(where, `staged-${staged++}`);
  await writeFile(path, content);
  return { path, digest: sha256Of(content), size: Buffer.byteLength(content), contentDigest, verbatim: false };
}

async function publish(
  store: ArtifactStore,
  content: string | Buffer,
  options: { tag?: string; contentDigest?: StagedBlob["digest"]; owner?: Owner; created?: string; uid?: string } = {},
): Promise<Artifact> {
  const blob = await stage(content, options.contentDigest);
  const metadata = { "org.opencontainers.image.created": options.created ?? "2026-01-01T00:00:00Z" };
  return await store.publish(
    {
      owner: options.owner ?? owner,
      uid: options.uid,
      blob,
      revision: `${options.tag ?? "1.0.0"}@${blob.contentDigest}`,
      metadata,
    },
    signal,
  );
}

const pathOf = (artifact: Artifact): string => join(dir, "data", artifact.path);
const filesOf = async (artifact: Artifact): Promise<string[]> => (await readdir(dirname(pathOf(artifact)))).sort();

describe("publishing", () => {
  test("stores the file under its digest and describes it as Flux does", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    const hex = sha256Of("one").slice(7);
    expect(artifact).toEqual({
      path: `artifactrepository/apps/podinfo/${hex}.tar.gz`,
      url: `http://strata.example./artifactrepository/apps/podinfo/${hex}.tar.gz`,
      revision: `1.0.0@sha256:${hex}`,
      digest: `sha256:${hex}`,
      size: 3,
      lastUpdateTime: "2026-11-21T12:00:00Z",
      metadata: { "org.opencontainers.image.created": "2026-01-01T00:00:00Z" },
    });
    expect(await readFile(pathOf(artifact), "utf8")).toBe("one");
    expect(await store.current(owner)).toEqual(artifact);
    expect(await filesOf(artifact)).toEqual([`${hex}.tar.gz`, "state.json"]);
    expect(store.latestUrl(owner)).toBe("http://strata.example./artifactrepository/apps/podinfo/latest.tar.gz");
  });

  test("moves the staged file, so that nobody who goes on writing to its path changes the artifact", async () => {
    const store = await openStore();
    const blob = await stage("one");
    const { ino } = await stat(blob.path);
    const artifact = await store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, signal);
    expect((await stat(pathOf(artifact))).ino).toBe(ino);
    await writeFile(blob.path, "two");
    expect(await readFile(pathOf(artifact), "utf8")).toBe("one");
  });

  test("writes nothing for what is stored already", async () => {
    const store = await openStore();
    const first = await publish(store, "one");
    const before = await stat(pathOf(first));
    clock += 5000;
    expect(await publish(store, "one")).toEqual(first);
    const after = await stat(pathOf(first));
    expect([after.ino, after.ctimeMs]).toEqual([before.ino, before.ctimeMs]);
  });

  test("a new tag of the same content gives a new revision of the same file", async () => {
    const store = await openStore();
    const first = await publish(store, "one");
    clock += 5000;
    const second = await publish(store, "one", { tag: "1.0.1" });
    expect(second).toEqual({ ...first, revision: `1.0.1@${sha256Of("one")}`, lastUpdateTime: "2026-11-21T12:00:05Z" });
  });

  test("content that was only compressed or built anew keeps its file and its OCI manifest", async () => {
    const store = await openStore();
    const contentDigest = sha256Of("the tar");
    const first = await publish(store, "gzip of one zlib", { contentDigest });
    const image = await store.image(owner);
    const second = await publish(store, "gzip of another zlib", { contentDigest, created: "2026-02-02T00:00:00Z" });
    expect(second.digest).toBe(first.digest);
    expect(second.lastUpdateTime).toBe(first.lastUpdateTime);
    expect((await store.image(owner))?.image.descriptor).toEqual(image?.image.descriptor);
    await rm(pathOf(first));
    expect((await publish(store, "gzip of another zlib", { contentDigest })).digest).toBe(
      sha256Of("gzip of another zlib"),
    );
  });

  test("repairs a stored file that has been damaged", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    await writeFile(pathOf(artifact), "0ne");
    await publish(store, "one");
    expect(await readFile(pathOf(artifact), "utf8")).toBe("one");
  });

  test("of a staged file that is gone, short or not what it says leaves the old artifact", async () => {
    const store = await openStore();
    const first = await publish(store, "one");
    const blob = await stage("two");
    const request = { owner, revision: `x@${blob.contentDigest}`, metadata: {} };
    const attempt = async (blob: StagedBlob): Promise<string> =>
      await store.publish({ ...request, blob }, signal).then(() => "published", codeOf);
    expect(await attempt({ ...blob, path: join(dir, "absent") })).toBe("StorageFailed");
    expect(await attempt({ ...blob, size: 4 })).toBe("SizeMismatch");
    expect(await store.current(owner)).toEqual(first);
    expect(await filesOf(first)).toHaveLength(2);
  });

  test("stops where it is told to, before anything is written", async () => {
    const store = await openStore();
    const blob = await stage("one");
    const stopped = AbortSignal.abort();
    await expect(
      store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, stopped),
    ).rejects.toSatisfy((error) => codeOf(error) === "Aborted");
    expect(await store.current(owner)).toBeUndefined();
  });

  test("never follows a symlink out of the storage", async () => {
    const store = await openStore();
    const outside = join(dir, "outside");
    await mkdir(join(dir, "data/artifactrepository"), { recursive: true });
    await mkdir(join(outside, "podinfo"), { recursive: true });
    await symlink(outside, join(dir, "data/artifactrepository/apps"));
    await expect(publish(store, "one")).rejects.toMatchObject({ code: "StorageFailed" });
    await expect(store.remove(owner)).rejects.toMatchObject({ code: "StorageFailed" });
    expect(await readdir(join(outside, "podinfo"))).toEqual([]);
  });

  test("the root itself may be a symlink, as mounts are", async () => {
    await mkdir(join(dir, "volume"));
    await symlink(join(dir, "volume"), join(dir, "data"));
    const artifact = await publish(await openStore(), "one");
    expect(await readFile(join(dir, "volume", artifact.path), "utf8")).toBe("one");
  });
});

// In most places the scratch directory and the storage are different file systems.
const elsewhere = await mkdtemp("/dev/shm/strata-storage-").catch(() => undefined);
afterEach(async () => {
  if (elsewhere) for (const name of await readdir(elsewhere)) await rm(join(elsewhere, name));
});

describe.skipIf(elsewhere === undefined)("publishing from another file system", () => {
  test("copies", async () => {
    const store = await openStore();
    const content = Buffer.alloc(3_000_000, "x");
    const blob = await stage(content, sha256Of(content), elsewhere);
    const artifact = await store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, signal);
    expect((await readFile(pathOf(artifact))).equals(content)).toBe(true);
    expect((await stat(pathOf(artifact))).nlink).toBe(1);
  });

  test("notices a staged file with other bytes than it says", async () => {
    const store = await openStore();
    const first = await publish(store, "one");
    const blob = { ...(await stage("two", sha256Of("two"), elsewhere)), digest: sha256Of("owt") };
    await expect(
      store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, signal),
    ).rejects.toMatchObject({ code: "DigestMismatch" });
    expect(await filesOf(first)).toHaveLength(2);
  });

  test.each([0, 1])(
    "a disk that is full when file %i of a publication is written leaves the old artifact, and nothing else",
    async (at) => {
      const first = await publish(await openStore(), "one");
      let created = 0;
      // Writing to /dev/full fails with ENOSPC, as on a full disk.
      const store = await openStore({
        createFile: (path) => (created++ === at ? open("/dev/full", "w") : open(path, "wx")),
      });
      const blob = await stage("two", sha256Of("two"), elsewhere);
      const attempt = store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, signal);
      await expect(attempt).rejects.toMatchObject({ code: "StorageFailed", details: { errno: "ENOSPC" } });
      expect(await store.current(owner)).toEqual(first);
      expect(await store.verify(owner, first, signal)).toBe("ok");
      expect(await filesOf(first)).toHaveLength(2);
      expect(
        (await store.publish({ owner, blob, revision: `x@${blob.contentDigest}`, metadata: {} }, signal)).digest,
      ).toBe(blob.digest);
    },
  );
});

test.each(["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EIO", "EMFILE"])("%s is a StorageFailed", async (errno) => {
  const first = await publish(await openStore(), "one");
  const store = await openStore({
    createFile: () => Promise.reject(Object.assign(new Error(`${errno}: injected`), { code: errno })),
  });
  await expect(publish(store, "two")).rejects.toMatchObject({ code: "StorageFailed", details: { errno } });
  expect(await store.current(owner)).toEqual(first);
  expect(await filesOf(first)).toHaveLength(2);
});

test("a root that is a file is a StorageFailed", async () => {
  await writeFile(join(dir, "data"), "");
  await expect(openStore()).rejects.toMatchObject({ code: "StorageFailed" });
});

describe("verifying", () => {
  test("finds what is intact, missing, damaged or not current", async () => {
    const store = await openStore();
    const first = await publish(store, "one");
    expect(await store.verify(owner, first, signal)).toBe("ok");
    const second = await publish(store, "two");
    expect(await store.verify(owner, first, signal)).toBe("missing");
    expect(await store.verify(owner, { ...second, revision: "other" }, signal)).toBe("missing");
    expect(await store.verify(owner, { ...second, path: `../${second.path}` }, signal)).toBe("missing");
    await writeFile(pathOf(second), "tow");
    expect(await store.verify(owner, second, signal)).toBe("corrupt");
    expect(await store.verify(owner, second, signal)).toBe("missing");
    expect(await store.verify({ ...owner, name: "other" }, second, signal)).toBe("missing");
  });

  test("can be left at whether the file is there", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    expect(await store.has(owner, artifact)).toBe(true);
    expect(await store.has(owner, { ...artifact, revision: "other" })).toBe(false);
    expect(await store.has(owner, { ...artifact, path: `../${artifact.path}` })).toBe(false);
    expect(await store.has({ ...owner, name: "other" }, artifact)).toBe(false);
    await writeFile(pathOf(artifact), "longer than one");
    expect(await store.has(owner, artifact)).toBe(false);
    await rm(pathOf(artifact));
    expect(await store.has(owner, artifact)).toBe(false);
    await rm(join(dir, "data"), { recursive: true });
    expect(await store.has(owner, artifact)).toBe(false);
  });

  test("takes a state that cannot be read for nothing stored, and recovers from it", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    await writeFile(join(dirname(pathOf(artifact)), "state.json"), "{");
    expect(await store.verify(owner, artifact, signal)).toBe("missing");
    expect(await publish(store, "one")).toEqual(artifact);
  });

  test("can be stopped", async () => {
    const store = await openStore();
    const artifact = await publish(store, Buffer.alloc(1_000_000));
    await expect(store.verify(owner, artifact, AbortSignal.abort())).rejects.toSatisfy(
      (error) => codeOf(error) === "Aborted",
    );
  });

  test("survives a move of the storage to another path and address", async () => {
    const artifact = await publish(await openStore(), "one");
    await rename(join(dir, "data"), join(dir, "moved"));
    const store = await openStore({ root: join(dir, "moved"), advertisedAddress: "https://other.example:8443/" });
    expect(await store.verify(owner, artifact, signal)).toBe("ok");
    expect((await store.current(owner))?.url).toBe(`https://other.example:8443/${artifact.path}`);
  });
});

describe("cleaning up", () => {
  test("superseded files go by age and by number, the current one never", async () => {
    const store = await openStore();
    const [one, two, three] = [await publish(store, "one"), await publish(store, "two"), await publish(store, "three")];
    const exists = (artifact: Artifact): Promise<boolean> =>
      stat(pathOf(artifact)).then(
        () => true,
        () => false,
      );
    expect(await Promise.all([one, two, three].map(exists))).toEqual([false, true, true]);
    clock += 59_000;
    await store.collect(owner);
    expect(await exists(two)).toBe(true);
    clock += 1000;
    await store.collect(owner);
    expect(await Promise.all([two, three].map(exists))).toEqual([false, true]);
    clock += 1e12;
    await store.collect(owner);
    expect(await store.verify(owner, three, signal)).toBe("ok");
  });

  test("going back to an older version keeps its file", async () => {
    const store = await openStore();
    const one = await publish(store, "one");
    await publish(store, "two");
    const again = await publish(store, "one");
    expect(again.digest).toBe(one.digest);
    clock += 60_000;
    await store.collect(owner);
    expect(await filesOf(one)).toEqual([`${one.digest.slice(7)}.tar.gz`, "state.json"]);
  });

  test("files that no state names go by age, when something else is stored", async () => {
    const store = await openStore();
    const one = await publish(store, "one");
    const stray = join(dirname(pathOf(one)), `${sha256Of("stray").slice(7)}.tar.gz`);
    await writeFile(stray, "stray");
    clock = Date.now();
    await publish(store, "two", { tag: "2.0.0" });
    expect(await filesOf(one)).toContain(basename(stray));
    clock += 61_000;
    await publish(store, "three", { tag: "3.0.0" });
    expect(await filesOf(one)).not.toContain(basename(stray));
  });

  test("what a killed process has left behind is swept up", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    const directory = dirname(pathOf(artifact));
    await writeFile(join(directory, `.${artifact.digest.slice(7)}.tar.gz.0123456789abcdef.tmp`), "half");
    await mkdir(join(directory, "../.removed-0123456789abcdef"));
    await writeFile(join(dir, "data/artifactrepository/apps/note.txt"), "mine");
    await store.sweep(signal);
    expect(await filesOf(artifact)).toEqual([`${artifact.digest.slice(7)}.tar.gz`, "state.json"]);
    expect((await readdir(join(directory, ".."))).sort()).toEqual(["note.txt", "podinfo"]);
  });

  test("an owner that is gone leaves nothing", async () => {
    const store = await openStore();
    await publish(store, "one");
    await store.remove(owner);
    await store.remove(owner);
    expect(await store.current(owner)).toBeUndefined();
    expect(await readdir(join(dir, "data/artifactrepository"))).toEqual([]);
  });

  test("owners that come and go in one namespace do not disturb each other", async () => {
    const store = await openStore();
    const churn = async (name: string): Promise<void> => {
      for (let round = 0; round < 20; round++) {
        const artifact = await publish(store, `${name} ${round}`, { owner: { ...owner, name } });
        expect(await store.verify({ ...owner, name }, artifact, signal)).toBe("ok");
        await store.remove({ ...owner, name });
      }
    };
    await Promise.all(["a", "b", "c", "d"].map(churn));
    expect(await readdir(join(dir, "data/artifactrepository"))).toEqual([]);
  });

  test("owners are told, strangers' files are passed over", async () => {
    const store = await openStore();
    await publish(store, "one");
    await publish(store, "one", { owner: { ...owner, name: "gone" } });
    await publish(store, "one", { owner: { ...owner, namespace: "gone" } });
    await mkdir(join(dir, "data/lost+found"));
    await writeFile(join(dir, "data/README"), "mine");
    const owners = await store.owners(signal);
    expect(owners.map(({ namespace, name }) => `${namespace}/${name}`).sort()).toEqual([
      "apps/gone",
      "apps/podinfo",
      "gone/podinfo",
    ]);
    await store.remove({ ...owner, namespace: "gone" });
    expect((await readdir(join(dir, "data"))).sort()).toEqual(["README", "artifactrepository", "lost+found"]);
    expect((await store.current(owner))?.size).toBe(3);
  });

  test.each<[string, string | undefined, string, "remove" | "removeOther", boolean]>([
    ["its own files", "1", "1", "remove", true],
    ["what another object of its name has", "1", "2", "remove", false],
    ["what nobody knows the uid of", undefined, "1", "remove", true],
    ["what an earlier object of its name has left", "1", "2", "removeOther", true],
    ["its own files as an earlier one's", "1", "1", "removeOther", false],
    ["what nobody knows the uid of as an earlier one's", undefined, "1", "removeOther", false],
  ])("an object removes %s or leaves it", async (_, stored, uid, method, isRemoved) => {
    const store = await openStore();
    await publish(store, "one", stored === undefined ? {} : { uid: stored });
    await store[method](owner, uid);
    expect((await store.current(owner)) === undefined).toBe(isRemoved);
  });

  test("the same content belongs to who has published it last", async () => {
    const store = await openStore();
    await publish(store, "one", { uid: "1" });
    await publish(store, "one", { uid: "2" });
    await store.remove(owner, "1");
    expect((await store.current(owner))?.size).toBe(3);
  });
});

describe("restoring", () => {
  const image = { layerMediaType: "a/b", layerTitle: "c", annotations: { "org.opencontainers.image.created": "then" } };

  test("brings back exactly what the status says", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    const empty = await openStore({ root: join(dir, "new") });
    clock += 100_000;
    expect(
      await empty.restore({ owner, artifact, open: async () => Readable.from([Buffer.from("one")]), image }, signal),
    ).toEqual(artifact);
    expect(await empty.verify(owner, artifact, signal)).toBe("ok");
    expect((await empty.image(owner))?.image.bytes.toString()).toContain('"org.opencontainers.image.created":"then"');
  });

  test("refuses other bytes", async () => {
    const store = await openStore();
    const artifact = await publish(store, "one");
    const empty = await openStore({ root: join(dir, "new") });
    const attempt = (content: string): Promise<unknown> =>
      empty.restore({ owner, artifact, open: async () => Readable.from([Buffer.from(content)]), image }, signal);
    await expect(attempt("two")).rejects.toMatchObject({ code: "DigestMismatch" });
    await expect(attempt("long")).rejects.toMatchObject({ code: "SizeMismatch" });
    expect(await empty.current(owner)).toBeUndefined();
  });
});

describe("kill -9 at any moment", () => {
  /** Publishes ever new content, from the same file system and, where there is one, from another. */
  const loop = (root: string, from: readonly string[]): string => `
    import { writeFile } from "node:fs/promises";
    import { createHash, randomBytes } from "node:crypto";
    import { openStorage } from ${JSON.stringify(new URL("storage.ts", import.meta.url).href)};
    const store = await openStorage({ root: ${JSON.stringify(root)}, advertisedAddress: "x", retention: { ttlMs: 20, records: 3 }, verifyConcurrency: 1 });
    const from = ${JSON.stringify(from)};
    const owner = ${JSON.stringify(owner)};
    for (let at = 0; ; at++) {
      const path = from[at % from.length] + "/staged";
      const bytes = randomBytes(400_000 + at % 7);
      await writeFile(path, bytes);
      const digest = "sha256:" + createHash("sha256").update(bytes).digest("hex");
      const blob = { path, digest, size: bytes.length, contentDigest: digest, verbatim: false };
      await store.publish({ owner, blob, revision: "v@" + digest, metadata: {} }, new AbortController().signal);
      if (at === 0) console.log("under way");
    }`;

  test("every visible file is whole, and the newest state leads to one", async () => {
    const root = join(dir, "data");
    const directory = join(root, "artifactrepository/apps/podinfo");
    let seen = 0;
    for (let round = 0; round < 15; round++) {
      const from = [...(elsewhere ? [elsewhere] : []), await mkdtemp(join(dir, "scratch-"))];
      const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", loop(root, from)], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      await once(child.stdout, "data");
      await delay(5 + Math.random() * 60);
      child.kill("SIGKILL");
      await once(child, "exit");
      const names = (await readdir(directory).catch(() => [])).filter((name) => name.endsWith(".tar.gz"));
      for (const name of names)
        expect(
          createHash("sha256")
            .update(await readFile(join(directory, name)))
            .digest("hex"),
        ).toBe(name.slice(0, 64));
      const store = await openStore();
      const current = await store.current(owner);
      if (current) expect(await store.verify(owner, current, signal)).toBe("ok");
      seen += names.length;
    }
    expect(seen).toBeGreaterThanOrEqual(15);
    const store = await openStore();
    await store.sweep(signal);
    expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  }, 120_000);
});
