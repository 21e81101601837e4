import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { inSources, libraryExamples } from "../src/testing/library-examples.ts";
import { startRegistry, testCa, type TestRegistry } from "../src/testing/registry/registry.ts";

const run = promisify(execFile);
const examples = libraryExamples();

let registry: TestRegistry;
let dir: string;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true, tls: {} });
  dir = await mkdtemp(join(tmpdir(), "strata-library-"));
  await writeFile(join(dir, "ca.crt"), testCa());
});
afterAll(async () => {
  await Promise.all([registry.close(), rm(dir, { recursive: true, force: true })]);
});

describe("the examples of the page", () => {
  it.each(examples)("print what is shown: $title", async ({ code, output }) => {
    const file = join(dir, "example.ts");
    await writeFile(file, inSources(code.replaceAll("registry.example", registry.host)));
    const env = { PATH: process.env["PATH"], HOME: dir, SSL_CERT_FILE: join(dir, "ca.crt"), NODE_NO_WARNINGS: "1" };
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: dir, env });
    expect({ stdout, stderr }).toEqual({ stdout: output, stderr: "" });
  });

  it("are there", () => {
    expect(examples.length).toBeGreaterThanOrEqual(7);
  });
});
