import { expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry } from "../testing/registry/registry.ts";
import { suggestedFlags } from "./suggested-flags.ts";

const suggesting = (suggestion: unknown): CodedError =>
  new CodedError("AmbiguousManifest", "several", { details: { suggestion } });

it.each([
  [
    { indexSelector: { artifactType: "application/x", platform: "linux/arm64" } },
    "--artifact-type application/x --platform linux/arm64",
  ],
  [{ indexSelector: { annotations: { role: "it's *" } } }, String.raw`--manifest-annotation 'role=it'\''s *'`],
  [{ layerSelector: { operation: "Copy", filename: "{hex}{ext}" } }, "--operation Copy --filename '{hex}{ext}'"],
  [{ layerSelector: { symlinks: "Follow" }, ignore: "a b" }, "--symlinks Follow --ignore 'a b'"],
  [{ ref: { digest: "sha256:abc" } }, "@sha256:abc behind the reference"],
  [undefined, undefined],
  [{ spec: 1 }, undefined],
])("writes %j as %s", (suggestion, expected) => {
  expect(suggestedFlags(suggesting(suggestion))).toBe(expected);
});

it("stands below the error, and works", async () => {
  await using registry = await startRegistry({ fixtures: true });
  const reference = `oci://${registry.host}/product:1.0.0`;
  const refused = await runStrata(["build", reference, "--insecure", "--dry-run"]);
  const flags = /as flags: (.*)/.exec(refused.stderr)?.[1]?.split(" ") ?? [];
  expect(flags.length).toBeGreaterThan(0);
  const { code } = await runStrata(["build", reference, "--insecure", "--dry-run", ...flags]);
  expect([refused.code, code]).toEqual([1, 0]);
});
