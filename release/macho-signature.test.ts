import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { signAdHoc } from "./macho-signature.ts";

/** The segments __TEXT and __LINKEDIT, and a signature of 64 bytes at the end of the second. */
function machO({ content = 9000, commands = ["__TEXT", "__LINKEDIT", "signature"] } = {}): Buffer {
  const file = Buffer.alloc(content + 64, 7);
  file.fill(0, 0, 512);
  file.writeUInt32LE(0xfeedfacf);
  file.writeUInt32LE(commands.length, 16);
  let at = 32;
  for (const name of commands)
    at += name === "signature" ? writeSignature(file, at, content) : writeSegment(file, at, name, content);
  file.writeUInt32LE(at - 32, 20);
  return file;
}

function writeSegment(file: Buffer, at: number, name: string, content: number): number {
  const isText = name === "__TEXT";
  file.writeUInt32LE(0x19, at);
  file.writeUInt32LE(72, at + 4);
  file.write(name, at + 8, "latin1");
  file.writeBigUInt64LE(isText ? 0n : 8192n, at + 40);
  file.writeBigUInt64LE(isText ? 8192n : BigInt(Math.max(0, content + 64 - 8192)), at + 48);
  return 72;
}

function writeSignature(file: Buffer, at: number, content: number): number {
  file.writeUInt32LE(0x1d, at);
  file.writeUInt32LE(16, at + 4);
  file.writeUInt32LE(content, at + 8);
  file.writeUInt32LE(64, at + 12);
  return 16;
}

describe("an ad-hoc signature", () => {
  const signed = signAdHoc(machO(), "strata");
  const blob = signed.subarray(9000);
  const directory = blob.subarray(blob.readUInt32BE(16));

  it("holds one code directory, in as many bytes as the load commands state", () => {
    expect(blob.readUInt32BE(0).toString(16)).toBe("fade0cc0");
    expect([blob.readUInt32BE(4), blob.readUInt32BE(8), blob.readUInt32BE(12)]).toEqual([blob.length, 1, 0]);
    expect(directory.readUInt32BE(0).toString(16)).toBe("fade0c02");
    expect(directory.readUInt32BE(4)).toBe(directory.length);
    expect(signed.readUInt32LE(32 + 72 + 72 + 12)).toBe(blob.length);
    const linkedit = 32 + 72;
    expect(signed.readBigUInt64LE(linkedit + 48)).toBe(BigInt(signed.length - 8192));
    expect(signed.readBigUInt64LE(linkedit + 32)).toBe(0x4000n);
  });

  it("has the SHA-256 of every page before it, the changed load commands included", () => {
    const [hashes, pages, limit] = [directory.readUInt32BE(16), directory.readUInt32BE(28), directory.readUInt32BE(32)];
    expect([pages, limit, directory[36], directory[37], directory[39]]).toEqual([3, 9000, 32, 2, 12]);
    for (let page = 0; page < pages; page++) {
      const bytes = signed.subarray(page * 4096, Math.min(limit, (page + 1) * 4096));
      const stated = directory.subarray(hashes + page * 32, hashes + (page + 1) * 32);
      expect(stated.toString("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
    expect(hashes + pages * 32).toBe(directory.length);
  });

  it("states the identifier and the segment of the program", () => {
    const identity = directory.readUInt32BE(20);
    expect(directory.toString("latin1", identity, directory.readUInt32BE(16))).toBe("strata\0");
    expect([64, 72, 80].map((at) => directory.readBigUInt64BE(at))).toEqual([0n, 8192n, 1n]);
  });

  it("is the same when it is made again", () => {
    expect(signAdHoc(signed, "strata").equals(signed)).toBe(true);
  });

  it.each([
    [["__TEXT", "signature"], "__LINKEDIT"],
    [["__LINKEDIT", "signature"], "__TEXT"],
  ])("is refused to a file with %j alone", (commands, missing) => {
    expect(() => signAdHoc(machO({ commands }), "strata")).toThrow(`no load command for ${missing}`);
  });

  it("is put after a file that has none, and stays the same from then on", () => {
    const bare = machO({ commands: ["__TEXT", "__LINKEDIT"] });
    const made = signAdHoc(bare, "strata");
    const command = 32 + 72 + 72;
    expect([0, 4, 8].map((at) => made.readUInt32LE(command + at))).toEqual([0x1d, 16, 9072]);
    expect([made.readUInt32LE(16), made.readUInt32LE(20)]).toEqual([3, 72 + 72 + 16]);
    expect(made.readUInt32LE(command + 12)).toBe(made.length - 9072);
    expect(made.readUInt32BE(9072).toString(16)).toBe("fade0cc0");
    expect(signAdHoc(made, "strata").equals(made)).toBe(true);
    bare[command] = 1;
    expect(() => signAdHoc(bare, "strata")).toThrow("no room");
  });

  it("is refused where the old one stands outside of the last segment", () => {
    expect(() => signAdHoc(machO({ content: 8000 }), "strata")).toThrow("__LINKEDIT");
  });
});
