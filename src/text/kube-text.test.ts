import { expect, it } from "vitest";
import { timestamp } from "./kube-text.ts";

it("has whole seconds", () => {
  expect(timestamp(new Date("2026-11-21T08:00:00.999Z"))).toBe("2026-11-21T08:00:00Z");
});
