import { expect, test } from "vitest";
import { tagOfRevision } from "./store.ts";

const digest = `sha256:${"a".repeat(64)}`;

test.each([
  [`1.0.0@${digest}`, "1.0.0"],
  [digest, undefined],
  [`feature/x@${digest}`, undefined],
  [`@${digest}`, undefined],
])("the tag of the revision %s is %s", (revision, tag) => {
  expect(tagOfRevision(revision)).toBe(tag);
});
