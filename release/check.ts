import { readFile } from "node:fs/promises";
import type { Base } from "./bases.ts";

/** By which Node finds out that something was put into it. */
const sentinelFuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/** What a file of each format says of the processor that it is for. */
const machines: Readonly<Record<Base["format"], Readonly<Record<number, string>>>> = {
  ELF: { 0x3e: "x64", 0xb7: "arm64" },
  "Mach-O": { 0x01000007: "x64", 0x0100000c: "arm64" },
  PE: { 0x8664: "x64", 0xaa64: "arm64" },
};

/** What `file` would say: format and processor. @throws Error for what is none of the three formats */
export function identify(bytes: Buffer): { format: Base["format"]; arch: string | undefined } {
  const of = (format: Base["format"], machine: number) => ({ format, arch: machines[format][machine] });
  if (bytes.readUInt32BE(0) === 0x7f454c46) return of("ELF", bytes.readUInt16LE(18));
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return of("Mach-O", bytes.readUInt32LE(4));
  if (bytes.readUInt16BE(0) === 0x4d5a) {
    const header = bytes.readUInt32LE(0x3c);
    if (bytes.readUInt32BE(header) === 0x50450000) return of("PE", bytes.readUInt16LE(header + 4));
  }
  throw new Error(`the file is neither ELF nor Mach-O nor PE: it begins with ${bytes.subarray(0, 4).toString("hex")}`);
}

/**
 * What can be told of a binary that this machine cannot run.
 * @throws Error where it is for something else than `base`, or a script is not in it
 */
export async function checkBinary(
  { platform, format }: Base,
  bytes: Buffer,
  assets: Readonly<Record<string, string>>,
): Promise<void> {
  const found = identify(bytes);
  const [, arch] = platform.split("-");
  if (found.format !== format || found.arch !== arch)
    throw new Error(`the binary for ${platform} is ${found.format} for ${found.arch ?? "an unknown processor"}`);
  for (const [name, path] of Object.entries(assets))
    if (!bytes.includes(await readFile(path))) throw new Error(`the binary for ${platform} does not hold ${name}`);
  if (!bytes.includes(`${sentinelFuse}:1`)) throw new Error(`Node for ${platform} has not been told of the scripts`);
}
