import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runStrata } from "../testing/command-io.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-source-"));
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

describe("--ca-file is refused, before anything is asked for", () => {
  const pem = (body: string): string => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
  it.each<[string, string | undefined, RegExp]>([
    ["that is empty", "", /holds no certificate in PEM/],
    ["with other text", "hunter2", /holds no certificate in PEM/],
    ["with a key alone", "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n", /no certificate in PEM/],
    ["with half a certificate", pem("aGVsbG8="), /certificate \(number 1\) that cannot be read/],
    ["that is not there", undefined, /cannot be read: ENOENT/],
  ])("%s", async (_, content, message) => {
    const path = join(dir, "ca.crt");
    if (content !== undefined) await writeFile(path, content);
    for (const command of [["tree"], ["build", "--dry-run"], ["tag", "stable"], ["init"]]) {
      const [name = "", ...rest] = command;
      const args = [name, "oci://127.0.0.1:1/app:1", ...rest, "--ca-file", path];
      const { code, stderr } = await runStrata(args);
      expect([name, code, stderr]).toEqual([name, 1, expect.stringMatching(message)]);
      expect(stderr).toContain("[TlsFailed]");
      expect(stderr).not.toContain("hunter2");
    }
  });
});
