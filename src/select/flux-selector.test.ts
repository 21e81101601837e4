import { expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import type { Descriptor } from "../oci/types.ts";
import { fixture } from "../testing/archives/layers.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
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

const title = { "org.opencontainers.image.title": "content" };

// Flux does not ask what a type is called; only of what can be no archive it could make nothing.
it.each<[string, string, number[]]>([
  ...["gzip", "x-gzip", "x-tar", "octet-stream", "vnd.example.content", "vnd.example.content.v1", "zstd"].map(
    (type): [string, string, number[]] => [`application/${type}`, "Extract", [0]],
  ),
  ...[
    "application/json",
    "application/vnd.example.policy.v1+rego",
    "text/plain",
    "application/vnd.example.v1+yaml",
  ].map((type): [string, string, number[]] => [type, "ExtractAll", [0, 1]]),
])("of two titled layers of the type %s: %s", async (mediaType, operation, offsets) => {
  const repository = new MemoryRepository();
  const config = repository.blob("{}", "application/vnd.oci.empty.v1+json");
  const titled = (text: string): Descriptor => ({ ...repository.blob(text, mediaType), annotations: title });
  const layers = [titled("a"), titled("b")];
  const root = repository.manifest({ config, layers });
  const select = async (layerSelector: LayerSelector) =>
    await selectLayers({ root, repository, layerSelector, limits: defaultLimits, signal });
  const selection = await select({ mediaType });
  expect([selection.operation, selection.layers.map(({ ordinal }) => ordinal)]).toEqual([operation, offsets]);
  // A file of such a type is still taken as the file it is.
  expect(selection.isUndecided).toBe(operation === "Extract" ? true : undefined);
  // With a field that Flux lacks it is the layout's to decide.
  expect((await select({ mediaType, annotations: title })).operation).toBe("ExtractAll");
});

it("the config blob stays a file, and several manifests are for the layout to decide", async () => {
  const repository = new MemoryRepository();
  const config = repository.blob("{}", "application/vnd.example.config");
  const manifest = (text: string) =>
    repository.manifest({ config, layers: [{ ...repository.blob(text, "application/x-tar"), annotations: title }] });
  const root = repository.manifest({ manifests: [manifest("a"), manifest("b")] });
  const request = { repository, limits: defaultLimits, signal, indexSelector: { match: "All" } } as const;
  const all = await selectLayers({ ...request, root, layerSelector: { mediaType: "application/x-tar" } });
  expect([all.operation, all.layers.length]).toEqual(["ExtractAll", 2]);
  const own = { ...request, root: manifest("a"), indexSelector: undefined };
  const chosen = await selectLayers({ ...own, layerSelector: { mediaType: "application/vnd.example.config" } });
  expect([chosen.operation, chosen.isUndecided]).toEqual(["Copy", undefined]);
});
