import { mkdir, mkdtemp, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import { createFile } from "./durable.ts";
import { OwnerStates } from "./owner-states.ts";
import { formatState, stateFile, type OwnerState } from "./record.ts";

const owner = { kind: "ArtifactRepository", namespace: "apps", name: "one" };
let root: string;
let directory: string;
let states: OwnerStates;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "strata-states-"));
  directory = join(root, "artifactrepository/apps/one");
  await mkdir(directory, { recursive: true });
  states = new OwnerStates({ root, seen: new Set() });
});
afterEach(async () => await rm(root, { recursive: true, force: true }));

const digest = sha256Of("content");
const stateOf = (tag: string): OwnerState => ({
  version: 1,
  current: {
    digest,
    size: 7,
    contentDigest: digest,
    revision: `${tag}@${digest}`,
    metadata: {},
    lastUpdateTime: "2026-11-30T00:00:00Z",
    image: { layerMediaType: "application/x", layerTitle: "", annotations: {} },
  },
  superseded: [],
});
const tagFound = async (): Promise<string | undefined> =>
  (await states.find(owner))?.state.current.revision.slice(0, 1);
const path = (): string => join(directory, stateFile);

describe("the states of owners", () => {
  it("are not read again while their file is the same", async () => {
    await states.write(directory, stateOf("1"), createFile);
    const second = new Date("2026-11-30T00:00:00Z");
    await utimes(path(), second, second);
    expect(await tagFound()).toBe("1");
    // Nobody writes to such a file; here it shows what is read.
    await writeFile(path(), formatState(stateOf("2")));
    await utimes(path(), second, second);
    expect(await tagFound()).toBe("1");
    expect((await states.read(directory))?.current.revision).toMatch(/^2@/);
    expect(await tagFound()).toBe("2");
  });

  it.each<[string, () => Promise<void>, string | undefined]>([
    [
      "another replica has replaced the file",
      async () => await new OwnerStates({ root, seen: new Set() }).write(directory, stateOf("2"), createFile),
      "2",
    ],
    ["somebody has edited it", async () => await writeFile(path(), formatState(stateOf("3"))), "3"],
    ["it was spoilt", async () => await writeFile(path(), "{"), undefined],
    ["the file is gone", async () => await rm(path()), undefined],
    ["the directory is gone", async () => await rm(directory, { recursive: true }), undefined],
    [
      "the file has become a symlink",
      async () => {
        await rename(path(), join(root, "elsewhere"));
        await symlink(join(root, "elsewhere"), path());
      },
      undefined,
    ],
  ])("are seen as they are where %s", async (_, change, found) => {
    await states.write(directory, stateOf("1"), createFile);
    expect(await tagFound()).toBe("1");
    await change();
    expect(await tagFound()).toBe(found);
  });

  it("are an error where a file stands in the place of the directory", async () => {
    await states.write(directory, stateOf("1"), createFile);
    await rm(directory, { recursive: true });
    await writeFile(directory, "");
    await expect(tagFound()).rejects.toMatchObject({ code: "StorageFailed" });
  });

  it("are what was there before, where writing fails", async () => {
    await states.write(directory, stateOf("1"), createFile);
    const full = async (): Promise<never> => await Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
    await expect(states.write(directory, stateOf("2"), full)).rejects.toThrow("full");
    expect(await tagFound()).toBe("1");
    expect(await readFile(path(), "utf8")).toBe(formatState(stateOf("1")));
  });

  it("of which more are remembered than fit are read again", async () => {
    const long = { ...stateOf("1"), current: { ...stateOf("1").current, metadata: { note: "x".repeat(700_000) } } };
    for (const name of ["a", "b", "c", "d"]) {
      const place = join(root, "artifactrepository/apps", name);
      await mkdir(place);
      await states.write(place, long, createFile);
    }
    expect(await states.remembered({ ...owner, name: "a" })).toBeUndefined();
    expect(await states.remembered({ ...owner, name: "d" })).toMatchObject({ state: long });
    expect(await states.find({ ...owner, name: "a" })).toMatchObject({ state: long });
  });
});
