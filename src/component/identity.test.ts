import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { stringify } from "yaml";
import type { Element } from "./descriptor.ts";
import { formatIdentity, matching, only, selectorFor, type Elements, type IdentitySelector } from "./identity.ts";

const element = (name: string, version = "1.0.0", extraIdentity: Record<string, string> = {}): Element => ({
  name,
  version,
  extraIdentity,
  labels: [],
});
const plain = element("config");
const prod = element("config", "1.0.0", { env: "prod" });
const prodArm = element("config", "1.0.0", { env: "prod", arch: "arm64" });
const older = element("config", "0.9.0", { env: "prod" });
const all = [plain, prod, prodArm, older, element("other")];

describe("an identity", () => {
  it.each<[string, IdentitySelector, readonly Element[]]>([
    ["the name alone", { name: "config" }, [plain, prod, prodArm, older]],
    ["a version", { name: "config", version: "0.9.0" }, [older]],
    ["just the attributes of some", { name: "config", extraIdentity: { env: "prod" } }, [prod, older]],
    ["some attributes of one", { name: "config", extraIdentity: { arch: "arm64" } }, [prodArm]],
    ["no attributes", { name: "config", extraIdentity: {} }, [plain]],
    ["another value", { name: "config", extraIdentity: { env: "dev" } }, []],
    ["what every object has", { name: "config", extraIdentity: { constructor: "x" } }, []],
  ])("is matched by %s", (_, wanted, found) => {
    expect(matching(all, wanted)).toEqual(found);
  });

  it("is written on one line, without what disturbs a terminal", () => {
    expect(formatIdentity(element("a\u001b[2J\nb", "1", { env: "x\u202ey" }))).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(formatIdentity(prodArm)).toBe("config 1.0.0 (env=prod, arch=arm64)");
  });
});

describe("the selector for an element", () => {
  it("is the shortest that means it alone", () => {
    expect(all.map((one) => selectorFor(one, all))).toEqual([
      { name: "config", extraIdentity: {} },
      { name: "config", version: "1.0.0", extraIdentity: { env: "prod" } },
      { name: "config", extraIdentity: { arch: "arm64" } },
      { name: "config", version: "0.9.0" },
      { name: "other" },
    ]);
  });

  it("always means it alone, and there is one wherever identities differ", () => {
    const attribute = fc.constantFrom("a", "b");
    const one: fc.Arbitrary<Element> = fc.record({
      name: fc.constantFrom("x", "y"),
      version: fc.constantFrom("1", "2"),
      extraIdentity: fc.dictionary(attribute, attribute, { maxKeys: 2 }),
      labels: fc.constant<Element["labels"]>([]),
    });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 8 }), (elements) => {
        for (const each of elements) {
          const selector = selectorFor(each, elements);
          const isTwin = elements.filter((other) => formatIdentity(other) === formatIdentity(each)).length > 1;
          const found = selector === undefined ? [] : matching(elements, selector);
          expect(found.length === 1 && found[0] === each).toBe(selector !== undefined);
          if (Object.keys(each.extraIdentity).length < 2) expect(selector === undefined).toBe(isTwin);
        }
      }),
    );
  });

  it("is none where it could not be written down", () => {
    const odd = element("a\u0000b");
    expect(selectorFor(odd, [odd])).toBeUndefined();
  });
});

describe("a choice", () => {
  const elements: Elements<Element> = {
    kind: "resource",
    of: "fx.example/app:1.0.0",
    all,
    line: formatIdentity,
    suggest: (resource) => ({ component: { resource } }),
    yaml: stringify,
  };

  it("is made where one is meant", () => {
    expect(only({ name: "other" }, elements)).toBe(all[4]);
  });

  it.each<[string, IdentitySelector | undefined, string, number]>([
    ["several fit", { name: "config", version: "1.0.0" }, "AmbiguousResource", 3],
    ["nobody has said which", undefined, "AmbiguousResource", 5],
    ["none fits", { name: "missing" }, "NoResourceMatch", 5],
  ])("is refused with the lines to add where %s", (_, wanted, code, count) => {
    const refused = expect.objectContaining({
      code,
      message: expect.stringContaining("component:\n  resource:\n    name: config\n"),
      details: expect.objectContaining({
        count,
        suggestion: { component: { resource: { name: "config", extraIdentity: {} } } },
      }),
    });
    expect(() => only(wanted, elements)).toThrow(refused);
  });

  it("lists no more than twenty", () => {
    const many = Array.from({ length: 1000 }, (_, at) => element("x", String(at)));
    expect(() => only({ name: "x" }, { ...elements, all: many })).toThrow(/and 980 more/);
  });
});
