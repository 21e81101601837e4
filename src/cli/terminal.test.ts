import { describe, expect, it } from "vitest";
import { formatTable } from "./terminal.ts";

describe("formatTable", () => {
  it("aligns columns and leaves nothing behind the last", () => {
    expect(
      formatTable([
        ["NAME", "READY"],
        ["a-long-name", ""],
        ["b", "True"],
      ]),
    ).toBe("NAME         READY\na-long-name\nb            True\n");
  });

  it("counts what it prints, not what it was given", () => {
    expect(
      formatTable([
        ["\u001B", "x"],
        ["aa", "x"],
      ]),
    ).toBe("\\u{1b}  x\naa      x\n");
  });

  it("cuts a cell that no terminal could show", () => {
    expect(formatTable([["x".repeat(3_000_000), "y"]]).length).toBeLessThan(5000);
  });

  it("is empty without rows", () => {
    expect(formatTable([])).toBe("");
  });
});
