import { expect, it } from "vitest";
import { notesOf } from "./release-notes.ts";

const changes =
  "# Changelog\n\n## Unreleased\n\n- soon\n\n## 1.2.0 (2026-11-29)\n\n### Added\n\n- this\n\n## 1.1.0\n\n- that\n";

it.each([
  ["1.2.0", "### Added\n\n- this\n"],
  ["1.1.0", "- that\n"],
  ["1.3.0", "- soon\n"],
])("%s has its notes", (version, notes) => {
  expect(notesOf(changes, version)).toBe(notes);
});

it.each(["# Changelog\n", "# Changelog\n\n## Unreleased\n\n## 1.1.0\n\n- that\n"])(
  "refuses what says nothing of the version",
  (text) => {
    expect(() => notesOf(text, "1.3.0")).toThrow("CHANGELOG.md says nothing of 1.3.0: add a section.");
  },
);
