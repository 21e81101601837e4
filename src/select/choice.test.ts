import { expect, it } from "vitest";
import { layerSelectorSchema } from "../../api/v1beta1/selectors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Descriptor } from "../oci/types.ts";
import { chooseAmong, hasFilters, type ChoosingSelector } from "./choice.ts";
import { layerMatcher } from "./layer-matcher.ts";

const archive = "application/vnd.example.content.v1.tar+gzip";
const offers = [{ pool: [0, 1], isConfig: false, usual: "ExtractAll" as const }];

/** The fields that say what is done with layers, each with a value other than its default. */
const combining: Readonly<Record<string, unknown>> = {
  offset: 1,
  operation: "Extract",
  filename: "{title}",
  layout: "LayerPerDir",
  onConflict: "Overwrite",
  symlinks: "Follow",
};

it("every other field of the API filters, and the matcher knows it", () => {
  const fields = Object.keys(layerSelectorSchema.shape).filter((field) => !Object.hasOwn(combining, field));
  const sizes = [0, 1_000_000];
  const layers = sizes.map((size): Descriptor => ({ mediaType: "text/yaml", digest: sha256Of(""), size }));
  const isKnown = (field: string) =>
    ["x", { x: "x" }, 7].some((value) => {
      const { hasFilters, reject } = layerMatcher({ [field]: value });
      return hasFilters && layers.some((layer) => reject(layer) !== undefined);
    });
  expect(fields.filter((field) => !isKnown(field))).toEqual([]);
  expect(Object.entries(combining).filter(([field, value]) => hasFilters({ [field]: value }))).toEqual([]);
});

it("a field that an OCIRepository lacks is for the known layout to decide, unless it is listed", () => {
  const withField = (field: string): ChoosingSelector => ({
    mediaType: archive,
    [field]: combining[field] ?? { x: "x" },
  });
  const keeping = [...Object.keys(combining), "annotations", "field-to-come"].filter(
    (field) => chooseAmong(offers, withField(field)).operation === "Extract",
  );
  expect(keeping).toEqual(["operation", "onConflict", "symlinks"]);
});

it.each<[string, ChoosingSelector, string]>([
  ["the defaults of the API", { offset: 0, annotations: {}, filename: undefined }, "Extract"],
  ["an offset", { offset: -1 }, "ExtractAll"],
  ["a glob", { mediaType: "application/vnd.*.v1.tar+gzip" }, "ExtractAll"],
  ["the type of a file", { mediaType: "text/yaml" }, "ExtractAll"],
])("the exact type of an archive with %s", (_, selector, operation) => {
  expect(chooseAmong(offers, { mediaType: archive, ...selector }).operation).toBe(operation);
});
