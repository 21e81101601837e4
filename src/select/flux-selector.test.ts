import { expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import { fixture } from "../testing/archives/layers.ts";
import { selectLayers } from "./select.ts";
import type { LayerSelector } from "./selection.ts";

const signal = new AbortController().signal;
const timoni = "application/vnd.timoni.content.v1.tar+gzip";
const chart = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

// An OCIRepository's layerSelector has mediaType and operation, and extracts the first match by default.
it.each<[string, string, LayerSelector, string, number[]]>([
  ["timoni/mod", "1.0.0", { mediaType: timoni }, "Extract", [0]],
  ["timoni/mod", "1.0.0", { mediaType: timoni, offset: 0 }, "Extract", [0]],
  ["helm/chart", "0.1.0", { mediaType: chart }, "Extract", [1]],
  // What an OCIRepository cannot say is for the known layout to decide.
  ["timoni/mod", "1.0.0", { mediaType: "application/vnd.timoni.content.*" }, "ExtractAll", [0, 1]],
  [
    "timoni/mod",
    "1.0.0",
    { mediaType: timoni, annotations: { "sh.timoni.content.type": "module*" } },
    "ExtractAll",
    [0, 1],
  ],
  ["timoni/mod", "1.0.0", {}, "ExtractAll", [0, 1]],
  ["oras/files", "1.0.0", { mediaType: "application/json" }, "ExtractAll", [0]],
])("of %s:%s by %j takes what Flux would take", async (name, tag, layerSelector, operation, offsets) => {
  const repository = fixture(name);
  const root = await repository.resolve(tag, signal);
  const selection = await selectLayers({ root, repository, layerSelector, limits: defaultLimits, signal });
  expect([selection.operation, selection.layers.map(({ ordinal }) => ordinal)]).toEqual([operation, offsets]);
});
