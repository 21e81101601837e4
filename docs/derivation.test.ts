import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseDocument } from "yaml";
import { DERIVATION_TYPE, derivationSchema } from "../api/v1beta1/derivation.ts";

const page = readFileSync(join(import.meta.dirname, "derivation.md"), "utf8");
const [, json = ""] = /```json\n(.*?)```/s.exec(page) ?? [];

it("its predicate is one, and loses nothing when it is read", () => {
  const example: unknown = JSON.parse(json);
  expect(derivationSchema.parse(example)).toEqual(example);
  expect(page).toContain(DERIVATION_TYPE);
});

it("its table has a row for every field", () => {
  const named = new Set(
    [...page.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, cell = ""]) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name.split(".").at(-1)),
    ),
  );
  const { selection, ...top } = derivationSchema.shape;
  const fields = [...Object.keys(top), ...Object.keys(selection.shape).filter((name) => name !== "layerCount")];
  expect(fields.filter((field) => !named.has(field))).toEqual([]);
});

it("its other examples are YAML of Flux", () => {
  const [, yaml = ""] = /```yaml\n(.*?)```/s.exec(page) ?? [];
  expect(parseDocument(yaml).toJS()).toMatchObject({ kind: "OCIRepository", spec: { verify: { provider: "cosign" } } });
});
