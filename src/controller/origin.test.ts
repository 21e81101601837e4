import { describe, expect, it } from "vitest";
import type { SelectedStatus } from "../../api/v1beta1/status.ts";
import { sha256Of } from "../oci/digest.ts";
import { parseObject } from "../pipeline/spec.ts";
import { fixture } from "../testing/archives/layers.ts";
import { originOf } from "./origin.ts";

const [layer, manifest, root] = [sha256Of("layer"), sha256Of("manifest"), sha256Of("root")];
const repository = fixture("flux/app");
const row = { digest: layer, mediaType: "a/b", size: 5, offset: 0, manifest };

function origin(selected: Partial<SelectedStatus> | undefined, changes: { artifact?: string; root?: string } = {}) {
  const object = parseObject({
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name: "app", namespace: "apps" },
    spec: { url: "oci://r.example/team/app", interval: "1m", ignore: "/docs", layerSelector: { operation: "Copy" } },
  });
  const digest = sha256Of(changes.artifact ?? "layer");
  const artifact = { path: "p", url: "u", revision: `1.0.0@${layer}`, digest, size: 5, lastUpdateTime: "t" };
  const descriptor = { mediaType: "a/index", digest: changes.root ? sha256Of(changes.root) : root, size: 1 };
  const resolved = { tag: "1.0.0", root: descriptor };
  const status = selected && { operation: "Copy" as const, layerCount: 1, layers: [row], ...selected };
  return originOf({ object }, { repository, resolved, artifact }, {}, status);
}

describe("whose referrers are about the artifact as well", () => {
  it.each<[string, ReturnType<typeof origin>, readonly string[]]>([
    ["the manifest and the index of the one layer that is the artifact", origin({}), [manifest, root]],
    ["the manifest alone, where that is the root", origin({}, { root: "manifest" }), [manifest]],
    ["nobody's, where the bytes were changed", origin({}, { artifact: "made anew" }), []],
    ["nobody's, where several layers were taken", origin({ layerCount: 2, layers: [row, row] }), []],
    ["nobody's, where it is not known what was taken", origin({ layers: [] }), []],
  ])("%s", (_, found, subjects) => {
    expect(found?.subjects).toEqual(subjects);
  });
});

it("tells where it comes from and how it was chosen", () => {
  expect(origin({ profile: "flux" })).toMatchObject({
    place: { registry: "r.example", repository: "team/app" },
    derivation: {
      upstream: { url: "oci://r.example/team/app", tag: "1.0.0", digest: root },
      selection: { spec: { ignore: "/docs", layerSelector: { operation: "Copy" } }, profile: "flux", layers: [row] },
      contentDigest: layer,
    },
  });
});

it("is unknown where the status does not tell what was selected", () => {
  expect(origin(undefined)).toBeUndefined();
});
