import { expect, it } from "vitest";
import { CodedError } from "../errors.ts";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry } from "../testing/registry/registry.ts";
import { ociManifestType } from "../oci/media-types.ts";
import { errorDocument, printError } from "./output.ts";
import { PassThrough } from "node:stream";

/** What a terminal would obey, hide or reorder. */
const obeyed = /[^\P{C}\n]|[\p{Zl}\p{Zp}]/u;
const evil = "\u001B[2J\u0007\u009B31m\u202E\u200B\u2028";

it.each([
  ["a command", [evil]],
  ["a flag", ["build", `--${evil}`]],
  ["a reference", ["build", `oci://${evil}`, "--dry-run"]],
  ["a value", ["build", "oci://r.example/a:1", "--offset", evil, "--dry-run"]],
  ["a format", ["tree", "oci://r.example/a:1", "--output", evil]],
])("%s that a terminal would obey is only shown", async (_, args) => {
  const { stderr, code } = await runStrata(args);
  expect(code).not.toBe(0);
  expect(stderr).not.toBe("");
  expect(stderr).not.toMatch(obeyed);
});

it.each(["text", "json", "yaml"])("neither is a field of a registry, nor 3 MB of it, as %s", async (format) => {
  await using registry = await startRegistry();
  const config = { mediaType: evil, digest: evil + "A".repeat(3_000_000), size: 2 };
  const manifest = { schemaVersion: 2, mediaType: ociManifestType, config, layers: [] };
  registry.store.putManifest("app", manifest, { tag: "1.0.0" });
  const args = ["build", `oci://${registry.host}/app:1.0.0`, "--insecure", "--dry-run", "--output", format];
  const { stdout, stderr, code } = await runStrata(args);
  expect(code).toBe(1);
  expect(stdout + stderr).toContain("ManifestInvalid");
  expect(stdout + stderr).not.toMatch(obeyed);
  expect((stdout + stderr).length).toBeLessThan(4000);
});

it("an error's message and causes are cut, and keep what to do", () => {
  const stderr = new PassThrough();
  const cause = new Error(evil + "B".repeat(3_000_000));
  const error = new CodedError("Internal", `layer ${"A ".repeat(1_500_000)} failed; write this`, { cause });
  printError({ stderr, err: { columns: undefined, color: false } }, error);
  const text = String(stderr.read());
  expect(text).toMatch(/^error: layer A .*failed; write this \[Internal\]\n {2}because: .*\n$/s);
  expect(text).not.toMatch(obeyed);
  expect(text.length).toBeLessThan(40_000);
  expect(String(errorDocument(error).error["message"]).length).toBeLessThan(20_000);
});
