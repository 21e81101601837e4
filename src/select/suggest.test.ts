import { array, assert, constantFrom, option, property, record } from "fast-check";
import { expect, it } from "vitest";
import { sha256Of } from "../oci/digest.ts";
import { ociManifestType } from "../oci/media-types.ts";
import type { Descriptor, Manifest, ManifestNode } from "../oci/types.ts";
import { nodeOf } from "../oci/walk.ts";
import { chooseLayers } from "./choose-layers.ts";
import type { LayerSelector } from "./selection.ts";
import { suggestLayers } from "./suggest-layer.ts";

const title = "org.opencontainers.image.title";
const types = ["text/yaml", "application/x.tar", "application/vnd.example.v1.tar+gzip"];
const layer = record({
  mediaType: constantFrom(...types),
  name: option(constantFrom("a", "b", "dir/c", 'q"uote'), { nil: undefined }),
});
const selector = record(
  {
    mediaType: constantFrom(...types, "*", "text/*", "image/png"),
    annotations: constantFrom({ [title]: "a" }, { [title]: "*" }, { none: "*" }),
    offset: constantFrom(0, 1, -1, 7),
    operation: constantFrom("Copy", "Extract", "ExtractAll"),
  },
  { requiredKeys: [] },
);

function manifest(layers: readonly { mediaType: string; name: string | undefined }[]): ManifestNode {
  const descriptors = layers.map(({ mediaType, name }, at): Descriptor => ({
    mediaType,
    digest: sha256Of(`layer ${at}`),
    size: at,
    ...(name !== undefined && { annotations: { [title]: name } }),
  }));
  const config = { mediaType: "application/vnd.example.unknown", digest: sha256Of("{}"), size: 2 };
  const body: Manifest = { kind: "manifest", mediaType: ociManifestType, config, layers: descriptors } as never;
  return nodeOf({ mediaType: ociManifestType, digest: sha256Of("m"), size: 1 }, body, []);
}

it("what is suggested can be taken, and keeps what the user asked for", () => {
  assert(
    property(array(layer, { maxLength: 4 }), selector, (layers, asked: LayerSelector) => {
      const nodes = [manifest(layers)];
      const choice = chooseLayers(nodes, asked);
      if (choice.kind === "chosen") return;
      const suggestion = suggestLayers(choice, nodes, asked);
      if (suggestion === undefined) return;
      const taken = chooseLayers(nodes, suggestion);
      expect(taken.kind).toBe("chosen");
      if (choice.kind === "outOfRange") expect(suggestion).toMatchObject({ ...asked, offset: suggestion.offset });
    }),
    { numRuns: 1000 },
  );
});

it("what is chosen is in the manifest, once, in order", () => {
  assert(
    property(array(layer, { maxLength: 4 }), selector, (layers, asked: LayerSelector) => {
      const choice = chooseLayers([manifest(layers)], asked);
      if (choice.kind !== "chosen") return;
      const ordinals = choice.layers.map(({ ordinal }) => ordinal);
      expect(ordinals).toEqual([...new Set(ordinals)].toSorted((a, b) => a - b));
      if (choice.operation !== "ExtractAll") expect(ordinals).toHaveLength(1);
    }),
    { numRuns: 1000 },
  );
});
