import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bases, type Base } from "./bases.ts";
import { checkBinary, identify } from "./check.ts";

const elf = (machine: number): Buffer => {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32BE(0x7f454c46);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
};
const macho = (cpu: number): Buffer => {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt32LE(0xfeedfacf);
  bytes.writeUInt32LE(cpu, 4);
  return bytes;
};
const pe = (machine: number): Buffer => {
  const bytes = Buffer.alloc(160);
  bytes.write("MZ");
  bytes.writeUInt32LE(128, 0x3c);
  bytes.write("PE\0\0", 128, "latin1");
  bytes.writeUInt16LE(machine, 132);
  return bytes;
};
const headers: Readonly<Record<string, Buffer>> = {
  "linux-x64": elf(0x3e),
  "linux-arm64": elf(0xb7),
  "darwin-x64": macho(0x01000007),
  "darwin-arm64": macho(0x0100000c),
  "windows-x64": pe(0x8664),
};
const fuse = Buffer.from("NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1");
let dir: string;
let assets: Record<string, string>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-check-"));
  assets = { "strata.js": join(dir, "strata.js") };
  await writeFile(assets["strata.js"]!, "the script");
});
afterAll(() => rm(dir, { recursive: true }));

describe("a binary", () => {
  it.each(bases.map((base): [string, Base] => [base.platform, base]))(
    "for %s is told by its header",
    async (name, base) => {
      const header = headers[name]!;
      expect(identify(header)).toEqual({ format: base.format, arch: name.split("-")[1] });
      await checkBinary(base, Buffer.concat([header, Buffer.from("the script"), fuse]), assets);
      for (const [other, wrong] of Object.entries(headers))
        if (other.split("-")[1] !== name.split("-")[1] || identify(wrong).format !== base.format)
          await expect(
            checkBinary(base, Buffer.concat([wrong, Buffer.from("the script"), fuse]), assets),
          ).rejects.toThrow(name);
      await expect(checkBinary(base, Buffer.concat([header, fuse]), assets)).rejects.toThrow("does not hold strata.js");
      await expect(checkBinary(base, Buffer.concat([header, Buffer.from("the script")]), assets)).rejects.toThrow(
        "not been told",
      );
    },
  );

  it("is not a script, and has a processor that is known", async () => {
    expect(() => identify(Buffer.from("#!/usr/bin/env node\n"))).toThrow("neither ELF");
    await expect(checkBinary(bases[0]!, elf(0xf3), assets)).rejects.toThrow("an unknown processor");
  });
});
