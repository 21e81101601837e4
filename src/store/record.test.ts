import { describe, expect, test } from "vitest";
import { formatState, parseState, type OwnerState } from "./record.ts";
import type { Made } from "./store.ts";

const digest = `sha256:${"a".repeat(64)}` as const;
const current = {
  digest,
  size: 3,
  contentDigest: digest,
  revision: `1.0.0@${digest}`,
  metadata: { "org.opencontainers.image.title": "ä" },
  lastUpdateTime: "2026-11-21T12:00:00Z",
  image: { layerMediaType: "a/b", layerTitle: "c", annotations: {}, config: { mediaType: "c/d", content: "e30=" } },
};
const made: Made = {
  recipe: digest,
  verbatim: false,
  operation: "Copy",
  skipped: { symlinks: 0, special: 0, ignored: 1 },
  leftOut: ["a by b"],
};
const state: OwnerState = {
  version: 1,
  current,
  superseded: [{ ...current, supersededAt: "2026-11-21T12:00:00.000Z" }],
};

describe("the state of an owner", () => {
  test("is read as it was written, with how it was made where that is known", () => {
    expect(parseState(formatState(state))).toEqual(state);
    const known = { ...state, current: { ...current, made } };
    expect(parseState(formatState(known))).toEqual(known);
  });

  const changed = (change: object): object => ({ ...state, current: { ...current, ...change } });
  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["another version", { ...state, version: 2 }],
    ["a digest that would be a path", changed({ digest: "../../etc/passwd" })],
    ["a size that is text", changed({ size: "3" })],
    ["a negative size", changed({ size: -1 })],
    ["a time that is none", changed({ lastUpdateTime: "soon" })],
    ["metadata that is not a map of texts", changed({ metadata: { a: 1 } })],
    ["no image", changed({ image: undefined })],
    ["a config without content", changed({ image: { ...current.image, config: { mediaType: "x" } } })],
    ["superseded records without a time", { ...state, superseded: [current] }],
    ["a list", []],
    ["made of nothing", changed({ made: {} })],
    ["made by a recipe that is not text", changed({ made: { ...made, recipe: 1 } })],
    ["made by an operation that is none", changed({ made: { ...made, operation: "Move" } })],
    ["made with counts that are none", changed({ made: { ...made, skipped: { symlinks: "1" } } })],
    ["made with names that are none", changed({ made: { ...made, leftOut: [1] } })],
  ])("counts as nothing where it is %s", (_, value) => {
    expect(parseState(JSON.stringify(value) ?? "")).toBeUndefined();
  });

  test("counts as nothing where it is cut off", () => {
    expect(parseState(formatState(state).slice(0, -10))).toBeUndefined();
  });
});
