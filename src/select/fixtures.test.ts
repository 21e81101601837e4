import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { parseArtifactRepository } from "../../api/v1beta1/parse.ts";
import { defaultLimits } from "../config.ts";
import type { CodedError } from "../errors.ts";
import { openLayout } from "../registry/layout.ts";
import { selectLayers } from "./select.ts";
import type { Decision, Selection, SelectRequest } from "./selection.ts";

const fixtures = join(import.meta.dirname, "../testing/fixtures/oci");
const samples = join(import.meta.dirname, "../../config/samples");
const signal = new AbortController().signal;

async function select(repository: string, tag: string, selectors: Partial<SelectRequest> = {}): Promise<Selection> {
  const layout = openLayout(join(fixtures, repository), defaultLimits);
  return await selectLayers({
    root: await layout.resolve(tag, signal),
    repository: layout,
    limits: defaultLimits,
    signal,
    ...selectors,
  });
}

const summary = ({ operation, layout, profile, layers, nameOf, note }: Selection) => ({
  operation,
  layout,
  profile,
  ordinals: layers.map(({ ordinal }) => ordinal),
  names: layers.map((layer) => nameOf?.(layer, { tag: "1.0.0", repository: "team/app" })),
  note,
});

describe("the fixtures, without a selector", () => {
  const note = "linux/amd64 was taken, since indexSelector.platform is absent";
  it.each([
    { repository: "flux/app", tag: "1.0.0", operation: "Extract", profile: "flux", ordinals: [0] },
    { repository: "helm/chart", tag: "0.1.0", operation: "Copy", profile: "helm", ordinals: [1] },
    { repository: "timoni/mod", tag: "1.0.0", operation: "ExtractAll", profile: "timoni", ordinals: [0, 1] },
    {
      repository: "kyverno/policies",
      tag: "1.0.0",
      operation: "ExtractAll",
      profile: "kyverno",
      ordinals: [0, 1],
      names: ["clusterpolicy-a.yaml", "clusterpolicy-b.yaml"],
    },
    { repository: "oras/files", tag: "1.0.0", operation: "ExtractAll", profile: "oras", ordinals: [0, 1, 2] },
    { repository: "image", tag: "1.0.0", operation: "ExtractAll", profile: "image", ordinals: [0, 1, 2], note },
    { repository: "image", tag: "arm64", operation: "ExtractAll", profile: "image", ordinals: [0, 1, 2] },
    { repository: "product", tag: "cfg", operation: "ExtractAll", profile: "oras", ordinals: [0] },
    { repository: "twin", tag: "a", operation: "ExtractAll", profile: "oras", ordinals: [0] },
    { repository: "signed/bundle", tag: "1.0.0", operation: "Extract", profile: "flux", ordinals: [0] },
  ])(
    "$repository:$tag gives $ordinals for $operation",
    async ({ repository, tag, ordinals, names = ordinals.map(() => undefined), ...expected }) => {
      expect(summary(await select(repository, tag))).toEqual({
        layout: "Merge",
        note: undefined,
        ...expected,
        ordinals,
        names,
      });
    },
  );

  it.each([
    { repository: "product", tag: "1.0.0", count: 5 },
    { repository: "product", tag: "inner", count: 2 },
    { repository: "twin", tag: "1.0.0", count: 2 },
  ])("$repository:$tag is refused with $count candidates", async ({ repository, tag, count }) => {
    const error = (await select(repository, tag).catch((thrown: unknown) => thrown)) as CodedError;
    expect(error.code).toBe("AmbiguousManifest");
    const { candidates } = error.details as { candidates: { digest: string }[] };
    expect(candidates).toHaveLength(count);
    for (const { digest } of candidates) expect(error.message).toContain(digest);
  });
});

describe("the nested product", () => {
  it.each([
    {
      by: "type",
      indexSelector: { artifactType: "application/vnd.example.config.*" },
      profile: "oras",
      manifest: "275fe6a0",
    },
    { by: "annotation", indexSelector: { annotations: { role: "config" } }, profile: "oras", manifest: "275fe6a0" },
    { by: "platform", indexSelector: { platform: "linux/arm64" }, profile: "image", manifest: "876e4e7b" },
    {
      by: "type, two indexes deep",
      indexSelector: { artifactType: "application/vnd.cncf.flux.config.v1+json" },
      profile: "flux",
      manifest: "12b1a20c",
    },
    {
      by: "first match",
      indexSelector: { artifactType: "*timoni*", match: "First" as const },
      profile: "timoni",
      manifest: "0f0a316e",
    },
  ])("gives one child by $by", async ({ indexSelector, profile, manifest }) => {
    const selection = await select("product", "1.0.0", { indexSelector });
    expect(selection.profile).toBe(profile);
    expect(selection.nodes.map(({ descriptor }) => descriptor.digest.slice(7, 15))).toEqual([manifest]);
  });

  it("gives the layers of all matches, in walk order", async () => {
    const selection = await select("product", "1.0.0", {
      indexSelector: { match: "All" },
      layerSelector: { operation: "ExtractAll" },
    });
    expect(selection.nodes).toHaveLength(5);
    expect(selection.layers.map(({ ordinal }) => ordinal)).toEqual([0, 1, 2, 0, 1, 2, 0, 0, 1, 0]);
    expect(selection.profile).toBeUndefined();
  });

  it("tells why each of its parts was taken or not", async () => {
    const decisions: Decision[] = [];
    await select("product", "1.0.0", {
      indexSelector: { platform: "linux/arm64" },
      onDecision: (decision) => decisions.push(decision),
    });
    expect(decisions.map(({ kind, depth, taken, reason }) => `${"  ".repeat(depth)}${kind} ${taken}: ${reason}`))
      .toMatchInlineSnapshot(`
      [
        "index true: it is what the reference names",
        "  index true: its children are looked at",
        "    manifest false: its platform linux/amd64 is not linux/arm64",
        "    manifest true: it alone matches indexSelector",
        "    layer true: ExtractAll takes every layer of the image layout",
        "    layer true: ExtractAll takes every layer of the image layout",
        "    layer true: ExtractAll takes every layer of the image layout",
        "  manifest false: its index states no platform, and linux/arm64 is asked for",
        "  index true: its children are looked at",
        "    manifest false: its index states no platform, and linux/arm64 is asked for",
        "    manifest false: its index states no platform, and linux/arm64 is asked for",
      ]
    `);
  });
});

describe("the samples", () => {
  const files = readdirSync(samples).filter((name) => name.endsWith(".yaml"));
  it.each(files)("%s selects", async (file) => {
    const document = parse(readFileSync(join(samples, file), "utf8").split("\n---\n")[0]!) as unknown;
    const parsed = parseArtifactRepository(document);
    if (!("resource" in parsed)) throw new Error(JSON.stringify(parsed.issues));
    const { url, ref, component, indexSelector, layerSelector } = parsed.resource.spec;
    // What a component version consists of stands in its descriptor: its samples are built with the command line.
    if (component !== undefined) return;
    const reference = ref?.digest ?? ref?.tag ?? (ref?.filterTags ? "main-def5678-1800000000" : "1.0.0");
    const selection = await select(url.replace(/^oci:\/\/[^/]*\//, ""), reference, { indexSelector, layerSelector });
    expect(selection.layers.length).toBeGreaterThan(0);
  });
});
