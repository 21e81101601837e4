import { mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { certificateIn } from "./certificate.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-certificate-"));
  await writeFile(join(dir, "tls.crt"), "first");
  await writeFile(join(dir, "tls.key"), "key");
});
afterEach(async () => await rm(dir, { recursive: true, force: true }));

it("is read again when it has changed", async () => {
  const certificate = certificateIn(dir, "storage-cert-dir");
  expect(String(certificate().cert)).toBe("first");
  await unlink(join(dir, "tls.crt"));
  expect(String(certificate().cert)).toBe("first");
  await writeFile(join(dir, "tls.crt"), "second");
  expect(String(certificate().cert)).toBe("second");
});

it("must be there at the start", async () => {
  await unlink(join(dir, "tls.key"));
  expect(() => certificateIn(dir, "storage-cert-dir")).toThrow(
    expect.objectContaining({ code: "InvalidSpec", message: expect.stringMatching(/^--storage-cert-dir=/) as string }),
  );
});
