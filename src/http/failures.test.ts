import { expect, test } from "vitest";
import { printable } from "./failures.ts";

test("text of strangers is cut at the limit", () => {
  expect(printable("a\r\nb\tc\u202e\u0000d", 100)).toBe("a b c d");
  expect(printable("abcdef", 3)).toBe("abc…");
});
