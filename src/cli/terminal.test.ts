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

  it("cuts the last column to a terminal, and colours a cell without moving it", () => {
    const rows = [
      ["NAME", "READY", "MESSAGE"],
      ["app", { text: "False", tone: "bad" as const }, "a long message that goes on"],
    ];
    expect(formatTable(rows, { columns: 30, color: false })).toBe(
      "NAME  READY  MESSAGE\napp   False  a long message t…\n",
    );
    expect(formatTable(rows, { columns: undefined, color: true })).toBe(
      "NAME  READY  MESSAGE\napp   \u001B[31mFalse\u001B[39m  a long message that goes on\n",
    );
  });

  it("is empty without rows", () => {
    expect(formatTable([])).toBe("");
  });
});
