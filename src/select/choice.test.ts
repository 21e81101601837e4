import { expect, it } from "vitest";
import { layerSelectorSchema } from "../../api/v1beta1/selectors.ts";
import { chooseAmong, hasFilters, type ChoosingSelector } from "./choice.ts";

const archive = "application/vnd.example.content.v1.tar+gzip";
const offers = [{ pool: [0, 1], isConfig: false, usual: "ExtractAll" as const }];

/** A value for every field of the API, other than its default. */
const stated: Readonly<Record<string, unknown>> = {
  annotations: { a: "*" },
  offset: 1,
  operation: "Extract",
  filename: "{title}",
  layout: "LayerPerDir",
  onConflict: "Overwrite",
  symlinks: "Follow",
};

it("every field of the API is either a filter, or says what is done", () => {
  const fields = Object.keys(layerSelectorSchema.shape);
  expect(Object.keys({ mediaType: archive, ...stated }).toSorted()).toEqual(fields.toSorted());
  const filters = fields.filter((field) => hasFilters({ [field]: field === "mediaType" ? archive : stated[field] }));
  expect(filters).toEqual(["mediaType", "annotations"]);
});

it("a field that an OCIRepository lacks is for the known layout to decide, unless it is listed", () => {
  const withField = (field: string): ChoosingSelector => ({ mediaType: archive, [field]: stated[field] ?? "x" });
  const keeping = [...Object.keys(stated), "field-to-come"].filter(
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
