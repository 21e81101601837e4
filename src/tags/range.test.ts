import { assert, constantFrom, nat, option, property, record, tuple } from "fast-check";
import { expect, it } from "vitest";
import { inRange, parseRange } from "./range.ts";
import { compareVersions, parseVersion, type Version } from "./semver.ts";

const triple = tuple(nat(3), nat(3), nat(3));
const prerelease = option(constantFrom("0", "1", "10", "a", "b", "rc.1", "rc.2", "rc.10", "rc"), { nil: undefined });
const text = record({ triple, prerelease }).map(
  ({ triple, prerelease }) => `${triple.join(".")}${prerelease === undefined ? "" : `-${prerelease}`}`,
);
const release = triple.map((numbers) => numbers.join("."));
const version = (text: string): Version => parseVersion(text)!;
const isIn = (text: string, range: string): boolean => inRange(version(text), parseRange(range));

it("versions have one order", () => {
  assert(
    property(text, text, text, (a, b, c) => {
      const order = (left: string, right: string) => Math.sign(compareVersions(version(left), version(right)));
      expect(order(a, b)).toBe(-order(b, a) + 0);
      expect(order(a, b) === 0).toBe(a === b);
      if (order(a, b) <= 0 && order(b, c) <= 0) expect(order(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});

it("a pre-release comes before its release, and after every release before that", () => {
  assert(
    property(triple, constantFrom("0", "a", "rc.1"), ([major, minor, patch], pre) => {
      const release = `${major}.${minor}.${patch + 1}`;
      expect(compareVersions(version(`${release}-${pre}`), version(release))).toBeLessThan(0);
      const before = version(`${major}.${minor}.${patch}`);
      expect(compareVersions(version(`${release}-${pre}`), before)).toBeGreaterThan(0);
    }),
  );
});

it("bounds part the releases", () => {
  assert(
    property(release, release, (a, bound) => {
      expect(isIn(a, `>=${bound}`)).toBe(!isIn(a, `<${bound}`));
      expect(isIn(a, `>${bound}`)).toBe(!isIn(a, `<=${bound}`));
      expect(isIn(a, `=${bound}`)).toBe(!isIn(a, `!=${bound}`));
    }),
  );
});

it("caret, tilde and hyphen are bounds", () => {
  assert(
    property(release, triple, release, (a, [major, minor, patch], upper) => {
      const bound = `${major}.${minor}.${patch}`;
      const leap = major > 0 ? `${major + 1}.0.0` : minor > 0 ? `0.${minor + 1}.0` : `0.0.${patch + 1}`;
      expect(isIn(a, `^${bound}`), `^${bound}`).toBe(isIn(a, `>=${bound} <${leap}`));
      // To Masterminds, ~0.0.0 is any version.
      if (bound !== "0.0.0")
        expect(isIn(a, `~${bound}`), `~${bound}`).toBe(isIn(a, `>=${bound}, <${major}.${minor + 1}.0`));
      expect(isIn(a, `${bound} - ${upper}`)).toBe(isIn(a, `>=${bound} <=${upper}`));
      expect(isIn(a, `${major}.${minor}.x`)).toBe(isIn(a, `~${major}.${minor}`));
    }),
  );
});

it("commas narrow, bars widen, and a pre-release needs a range that has one", () => {
  const bound = tuple(constantFrom(">=", "<", "^", "~", "="), release).map(([operator, at]) => `${operator}${at}`);
  assert(
    property(text, bound, bound, (a, one, other) => {
      expect(isIn(a, `${one}, ${other}`)).toBe(isIn(a, one) && isIn(a, other));
      expect(isIn(a, `${one} || ${other}`)).toBe(isIn(a, one) || isIn(a, other));
      if (a.includes("-")) expect(isIn(a, one)).toBe(false);
    }),
  );
});
