import { describe, expect, it } from "vitest";
import { conditionSchema, type Condition } from "../../api/v1beta1/status.ts";
import { findCondition, removeCondition, setCondition, type ConditionDraft } from "./conditions.ts";

const then = "2026-11-21T08:00:00Z";
const now = new Date("2026-11-21T09:00:00.999Z");
const ready = (fields: Partial<Condition> = {}): Condition => ({
  type: "Ready",
  status: "True",
  observedGeneration: 1,
  lastTransitionTime: then,
  reason: "Succeeded",
  message: "stored",
  ...fields,
});
const draft = (fields: Partial<ConditionDraft> = {}): ConditionDraft => ({
  type: "Ready",
  status: "True",
  reason: "Succeeded",
  message: "stored",
  ...fields,
});

describe("setCondition", () => {
  it.each<[string, ConditionDraft, number | undefined, Condition]>([
    [
      "the status",
      draft({ status: "False" }),
      1,
      ready({ status: "False", lastTransitionTime: "2026-11-21T09:00:00Z" }),
    ],
    ["the reason", draft({ reason: "Other" }), 1, ready({ reason: "Other" })],
    ["the message", draft({ message: "other" }), 1, ready({ message: "other" })],
    ["the generation", draft(), 2, ready({ observedGeneration: 2 })],
  ])("changes %s", (_, condition, generation, expected) => {
    const before = [ready()];
    expect(setCondition(before, condition, { generation, now })).toEqual([expected]);
    expect(before).toEqual([ready()]);
  });

  it("returns the same array where nothing changes", () => {
    const before = [ready()];
    expect(setCondition(before, draft(), { generation: 1, now })).toBe(before);
  });

  it("adds, with what leads in front and the rest by name", () => {
    let conditions: readonly Condition[] = [];
    for (const type of ["Published", "Ready", "FetchFailed", "Stalled", "ArtifactInStorage", "Reconciling"])
      conditions = setCondition(conditions, draft({ type }), { generation: 3, now });
    expect(conditions.map(({ type }) => type)).toEqual([
      "Stalled",
      "Reconciling",
      "Ready",
      "ArtifactInStorage",
      "FetchFailed",
      "Published",
    ]);
    expect(conditionSchema.array().parse(conditions)).toEqual(conditions);
  });

  it("leaves the generation out where the object has none", () => {
    expect(setCondition([], draft(), { generation: undefined, now })).toEqual([
      { ...draft(), lastTransitionTime: "2026-11-21T09:00:00Z" },
    ]);
  });

  it("cuts a message that the API server would refuse", () => {
    const [condition] = setCondition([], draft({ message: `é word ${"é ".repeat(40_000)}write this instead` }), {
      generation: 1,
      now,
    });
    expect(Buffer.byteLength(condition?.message ?? "")).toBeLessThanOrEqual(32_768);
    expect(condition?.message).toMatch(/^é word (?:é )+ ?\[…\] .*é write this instead$/);
    expect(conditionSchema.safeParse(condition).success).toBe(true);
  });
});

describe("reading", () => {
  const conditions = [
    ready(),
    ready({ type: "FetchFailed", status: "False" }),
    ready({ type: "Published", status: "Unknown" }),
  ];
  it("finds and removes by type", () => {
    expect(findCondition(conditions, "FetchFailed")).toBe(conditions[1]);
    expect(removeCondition(conditions, "FetchFailed")).toEqual([conditions[0], conditions[2]]);
    expect(removeCondition(conditions, "Stalled")).toBe(conditions);
  });
});
