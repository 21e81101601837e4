import { expect, test } from "vitest";
import { retryAfterMs } from "./retry-after.ts";

const date = "Sat, 21 Nov 2026 10:00:00 GMT";
test.each<[string, string | undefined, string | undefined, number | undefined]>([
  ["no header", undefined, date, undefined],
  ["seconds", "3", undefined, 3000],
  ["a date, read by the server's own clock", "Sat, 21 Nov 2026 10:00:07 GMT", date, 7000],
  ["a date that is past", "Sat, 21 Nov 2026 09:00:00 GMT", date, 0],
  ["too long", "999999", undefined, 3_600_000],
  ["with spaces", " 0 ", undefined, 0],
  ["a fraction", "1.5", undefined, 1500],
  ["nonsense", "soon", undefined, undefined],
  ["negative", "-5", undefined, undefined],
])("Retry-After: %s", (_, header, now, expected) => {
  expect(retryAfterMs(header, now, 3_600_000)).toBe(expected);
});

test("a date without the server's clock is read by ours", () => {
  const soon = new Date(Date.now() + 10_000).toUTCString();
  expect(retryAfterMs(soon, undefined, 3_600_000)).toBeGreaterThan(8000);
});
