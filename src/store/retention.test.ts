import { describe, expect, test } from "vitest";
import type { Digest } from "../oci/types.ts";
import { artifactFile } from "./artifact-path.ts";
import type { ArtifactRecord, OwnerState, SupersededRecord } from "./record.ts";
import { retain, type RetentionPolicy } from "./retention.ts";

const now = Date.parse("2026-11-21T12:00:00Z");
const policy = { ttlMs: 60_000, records: 2 };
const digest = (letter: string): Digest => `sha256:${letter.repeat(64)}`;
const file = (letter: string): string => artifactFile(digest(letter));
const record = (letter: string): ArtifactRecord => ({
  digest: digest(letter),
  size: 1,
  contentDigest: digest(letter),
  revision: `v@${digest(letter)}`,
  metadata: {},
  lastUpdateTime: "2026-11-21T11:00:00Z",
  image: { layerMediaType: "t", layerTitle: "", annotations: {} },
});
const old = (letter: string, ageMs: number): SupersededRecord => ({
  ...record(letter),
  supersededAt: new Date(now - ageMs).toISOString(),
});
const state = (...superseded: SupersededRecord[]): OwnerState => ({ version: 1, current: record("c"), superseded });
const files = (ageMs: number, ...letters: string[]) =>
  letters.map((letter) => ({ name: file(letter), sinceMs: now - ageMs }));

describe("retention", () => {
  test.each<[string, OwnerState, RetentionPolicy, string[], string[]]>([
    ["keeps a young predecessor", state(old("a", 1000)), policy, ["a"], []],
    ["drops an old one, however long its file has been there", state(old("a", 60_000)), policy, [], ["a"]],
    ["drops what is beyond the number, oldest first", state(old("b", 1000), old("a", 2000)), policy, ["b"], ["a"]],
    [
      "keeps more where more are wanted",
      state(old("b", 1000), old("a", 2000)),
      { ...policy, records: 3 },
      ["b", "a"],
      [],
    ],
    [
      "keeps the current one even where nothing is to be kept",
      state(old("a", 1000)),
      { ttlMs: 0, records: 0 },
      [],
      ["a"],
    ],
    [
      "keeps what it is told to keep, beyond both limits",
      state(old("b", 1000), old("a", 60_000)),
      { ...policy, records: 1, keep: [digest("a")] },
      ["a"],
      ["b"],
    ],
    ["never drops the current one for having been an older one too", state(old("c", 90_000)), policy, [], []],
  ])("%s", (_, before, limits, kept, expired) => {
    const result = retain(
      before,
      files(3_600_000, "c", "b", "a").slice(0, 1 + before.superseded.length + 1),
      limits,
      now,
    );
    expect(result.state.superseded.map(({ digest }) => artifactFile(digest))).toEqual(kept.map(file));
    expect(
      result.expired.filter((name) => before.superseded.some(({ digest }) => artifactFile(digest) === name)),
    ).toEqual(expired.map(file));
    expect(result.expired).not.toContain(file("c"));
    expect(result.state.current).toEqual(before.current);
  });

  test("leaves the state alone where nothing changes", () => {
    const before = state(old("a", 1000));
    expect(retain(before, files(0, "c", "a"), policy, now).state).toBe(before);
  });

  test("counts from now what a wrong clock has dated into the future", () => {
    const first = retain(state(old("a", -86_400_000)), files(0, "c", "a"), policy, now);
    expect(first.state.superseded[0]?.supersededAt).toBe(new Date(now).toISOString());
    expect(retain(first.state, files(0, "c", "a"), policy, now + 60_000).expired).toEqual([file("a")]);
  });

  test("deletes files that no record knows once no writer can still be at them", () => {
    expect(retain(state(), files(59_999, "c", "d"), policy, now).expired).toEqual([]);
    expect(retain(state(), files(60_000, "c", "d"), policy, now).expired).toEqual([file("d")]);
  });

  test("deletes nothing that is not an artifact", () => {
    const others = ["state.json", `.${file("d")}.0123456789abcdef.tmp`, "notes.txt"].map((name) => ({
      name,
      sinceMs: 0,
    }));
    expect(retain(state(), others, policy, now).expired).toEqual([]);
  });
});
