import { expect, test } from "vitest";
import { isFresh, parseRange } from "./byte-range.ts";

test.each<[string | undefined, number, ReturnType<typeof parseRange>]>([
  [undefined, 10, undefined],
  ["bytes=0-", 10, { start: 0, end: 10 }],
  ["bytes=0-0", 10, { start: 0, end: 1 }],
  ["bytes=2-4", 10, { start: 2, end: 5 }],
  ["bytes=9-9", 10, { start: 9, end: 10 }],
  ["bytes=5-99", 10, { start: 5, end: 10 }],
  ["Bytes= 5-6 ", 10, { start: 5, end: 7 }],
  ["bytes=-3", 10, { start: 7, end: 10 }],
  ["bytes=-99", 10, { start: 0, end: 10 }],
  ["bytes=10-", 10, "unsatisfiable"],
  ["bytes=10-12", 10, "unsatisfiable"],
  ["bytes=-0", 10, "unsatisfiable"],
  ["bytes=0-", 0, "unsatisfiable"],
  ["bytes=-1", 0, "unsatisfiable"],
  ["bytes=4-2", 10, undefined],
  ["bytes=0-1,4-5", 10, undefined],
  ["bytes=-", 10, undefined],
  ["bytes=a-b", 10, undefined],
  ["bytes=0x1-2", 10, undefined],
  ["bytes=99999999999999999999-", 10, undefined],
  ["lines=0-1", 10, undefined],
])("%s of %i bytes", (header, size, expected) => {
  expect(parseRange(header, size)).toEqual(expected);
});

test.each([
  [undefined, false],
  ['"a"', true],
  ['W/"a"', true],
  ['"b", "a"', true],
  ["*", true],
  ['"b"', false],
  ["a", false],
  ["", false],
])("If-None-Match: %s", (header, fresh) => {
  expect(isFresh(header, '"a"')).toBe(fresh);
});
