import { describe, expect, it } from "vitest";
import { cutBytes, timestamp } from "./kube-text.ts";

describe("cutBytes", () => {
  it.each([
    ["short", 10, "short"],
    ["exactly ten", 11, "exactly ten"],
    ["exactly ten", 10, "exactly..."],
    ["ééééé", 10, "ééééé"],
    ["éééééé", 10, "ééé..."],
    ["a😀😀😀", 10, "a😀..."],
    ["ab😀😀😀", 10, "ab😀..."],
    ["", 10, ""],
  ])("%j to %d bytes", (text, bytes, expected) => {
    const cut = cutBytes(text, bytes);
    expect(cut).toBe(expected);
    expect(Buffer.byteLength(cut)).toBeLessThanOrEqual(bytes);
  });
});

describe("timestamp", () => {
  it("has whole seconds", () => {
    expect(timestamp(new Date("2026-11-21T08:00:00.999Z"))).toBe("2026-11-21T08:00:00Z");
  });
});
