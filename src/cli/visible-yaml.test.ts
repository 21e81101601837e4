import { array, assert, constantFrom, property } from "fast-check";
import { expect, it } from "vitest";
import { parse } from "yaml";
import { visibleYaml } from "./visible-yaml.ts";

const parts = [
  "\u001B[2J",
  "\u0007",
  "\u009B",
  "\u202E",
  "\u200B",
  "\u{E0041}",
  "\u2028",
  "é",
  "😀",
  " ",
  "\n",
  "a",
  '"',
  "\\",
  ": ",
  "# ",
];

it.each([" \n", "  \n\n", "\n \n", " ", "", "\n"])("blanks alone are kept: %j", (value) => {
  expect(parse(visibleYaml({ k: value, list: [value] }))).toEqual({ k: value, list: [value] });
});

it("YAML is the same to a program, and a terminal only shows it", () => {
  const text = array(constantFrom(...parts), { maxLength: 20 }).map((chosen) => chosen.join(""));
  assert(
    property(text, text, (key, value) => {
      const document = { [`k${key}`]: value, list: [value, { value }] };
      const yaml = visibleYaml(document);
      expect(yaml.replaceAll("\n", "")).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
      expect(parse(yaml)).toEqual(document);
    }),
  );
});
