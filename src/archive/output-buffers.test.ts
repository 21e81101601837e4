import { describe, expect, it } from "vitest";
import { outputBytes, releaseOutput } from "./output-buffers.ts";

describe("releaseOutput", () => {
  it("frees a buffer with its last piece, not with those before", () => {
    const buffer = Buffer.allocUnsafeSlow(outputBytes);
    const [first, last] = [buffer.subarray(0, 1000), buffer.subarray(1000)];
    releaseOutput(first);
    expect(first.length).toBe(1000);
    releaseOutput(last);
    expect([first.length, last.length, buffer.length]).toEqual([0, 0, 0]);
  });

  it.each([
    ["that Node shares", Buffer.from("a small one")],
    ["of another size", Buffer.allocUnsafeSlow(2 * outputBytes)],
    ["that threads share", Buffer.from(new SharedArrayBuffer(outputBytes))],
  ])("leaves a buffer %s alone", (_, buffer) => {
    const { length } = buffer;
    releaseOutput(buffer);
    expect(buffer.length).toBe(length);
  });

  it("may be called twice", () => {
    const buffer = Buffer.allocUnsafeSlow(outputBytes);
    releaseOutput(buffer);
    releaseOutput(buffer);
    expect(buffer.length).toBe(0);
  });
});
