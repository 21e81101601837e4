import { describe, expect, test } from "vitest";
import { StatusMemory } from "./status-writer.ts";
import type { RawObject } from "../pipeline/object.ts";

const at = (resourceVersion: string): RawObject => ({
  apiVersion: "v",
  kind: "k",
  metadata: { name: "a", namespace: "b", uid: "1", resourceVersion },
});

describe("what was written last", () => {
  test("stands for the cache as long as that is behind", () => {
    const memory = new StatusMemory();
    memory.remember("1", "7", at("9"));
    expect(memory.latest("1", at("7"))).toEqual(at("9"));
    memory.caughtUp(at("8"));
    expect(memory.size).toBe(1);
    expect(memory.latest("1", at("8"))).toEqual(at("8"));
    expect(memory.size).toBe(0);
  });

  test("is forgotten once the cache has it", () => {
    const memory = new StatusMemory();
    memory.remember("1", "7", at("9"));
    memory.caughtUp(at("9"));
    expect(memory.size).toBe(0);
    expect(memory.latest("1", at("9"))).toEqual(at("9"));
  });
});
