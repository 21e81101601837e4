import { describe, expect, it } from "vitest";
import type { ArtifactRepository } from "./artifact-repository.ts";
import { formatIssues, type SpecIssue } from "./issues.ts";
import { parseArtifactRepository } from "./parse.ts";

const minimal = { url: "oci://ghcr.io/org/app", interval: "10m" };

function manifest(spec: unknown, rest: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name: "app" },
    spec,
    ...rest,
  };
}

function accepted(object: unknown): ArtifactRepository {
  const parsed = parseArtifactRepository(object);
  if ("issues" in parsed) throw new Error(formatIssues(parsed.issues));
  return parsed.resource;
}

function refused(object: unknown): readonly SpecIssue[] {
  const parsed = parseArtifactRepository(object);
  if ("resource" in parsed) throw new Error("expected issues");
  return parsed.issues;
}

const withSpec = (more: Record<string, unknown>) => manifest({ ...minimal, ...more });
const digest = `sha256:${"0".repeat(64)}`;

describe("what is accepted", () => {
  it("fills in Flux's defaults", () => {
    expect(accepted(manifest(minimal)).spec).toEqual({ ...minimal, timeout: "60s", provider: "generic" });
  });

  it("fills in the defaults of nested fields only where the parent is present", () => {
    const { spec } = accepted(
      withSpec({
        indexSelector: {},
        layerSelector: {},
        verify: {},
        publish: { oci: { url: "oci://r.example/a" } },
        ref: { policy: { numerical: {} } },
      }),
    );
    expect(spec.indexSelector).toEqual({ match: "One" });
    expect(spec.layerSelector).toEqual({ offset: 0, onConflict: "Fail", symlinks: "Skip" });
    expect(spec.verify).toEqual({ provider: "cosign" });
    expect(spec.publish?.oci).toEqual({
      url: "oci://r.example/a",
      provider: "generic",
      mediaType: "application/vnd.cncf.flux.content.v1.tar+gzip",
    });
    expect(spec.ref?.policy).toEqual({ numerical: { order: "asc" } });
  });

  it("takes null for absent, wherever it stands, as the API server does", () => {
    const resource = accepted(
      manifest(
        { ...minimal, provider: null, ref: null, layerSelector: { mediaType: null, offset: null } },
        { metadata: { name: "app", labels: null } },
      ),
    );
    expect(resource.spec).toEqual({
      ...minimal,
      timeout: "60s",
      provider: "generic",
      layerSelector: { offset: 0, onConflict: "Fail", symlinks: "Skip" },
    });
    expect(resource.metadata).toEqual({ name: "app" });
    expect(refused(manifest({ ...minimal, url: null })).map(({ path, found }) => [path, found])).toEqual([
      ["spec.url", "null"],
    ]);
  });

  it.each([
    ["extract", "Extract"],
    ["copy", "Copy"],
    ["Extract", "Extract"],
    ["ExtractAll", "ExtractAll"],
  ])("reads operation %s as %s", (written, operation) => {
    expect(accepted(withSpec({ layerSelector: { operation: written } })).spec.layerSelector?.operation).toBe(operation);
  });

  it.each<[string, Record<string, unknown>]>([
    ["digest over semver over tag, as in Flux", { ref: { digest, semver: "1.x", tag: "1.0.0" } }],
    ["empty strings for what is not set", { ref: { digest: "", tag: "", semver: "" } }],
    ["an empty semver beside a policy", { ref: { semver: "", policy: { semver: { range: "1.x" } } } }],
    ["an empty semverFilter without semver", { ref: { semverFilter: "" } }],
    ["a tag pinned by digest", { ref: { tag: `1.0.0@${digest}` } }],
    [
      "every policy field",
      {
        ref: {
          filterTags: { pattern: "^main-(?P<ts>.*)", extract: "$ts" },
          policy: { alphabetical: { order: "desc" } },
        },
      },
    ],
    ["keys without identities", { verify: { secretRef: { name: "keys" }, matchOIDCIdentity: [] } }],
    [
      "an explicit default layout beside Extract",
      { layerSelector: { operation: "Extract", layout: "Merge", onConflict: "Fail", filename: "" } },
    ],
    ["a layout for the operation of a profile", { layerSelector: { layout: "LayerPerDir" } }],
    [
      "several publishers",
      {
        publish: {
          externalArtifact: {},
          ociRepository: {},
          oci: { url: "oci://r.example:5000/a/b", tags: ["{tag}"], retain: 5 },
        },
      },
    ],
  ])("accepts %s", (_, more) => {
    accepted(withSpec(more));
  });

  it("keeps metadata that it does not know, and passes over unknown status fields", () => {
    const resource = accepted(
      manifest(minimal, {
        metadata: { name: "app", generateName: "x", creationTimestamp: null, managedFields: [] },
        status: { observedGeneration: 3, somethingNewer: true },
      }),
    );
    expect(resource.metadata).toMatchObject({ generateName: "x" });
    expect(resource.status).toEqual({ observedGeneration: 3 });
  });

  it.each([{ conditions: "Ready" }, "lost", { artifact: {} }])(
    "drops the status %j, which it cannot read",
    (status) => {
      const resource = accepted(manifest(minimal, { status }));
      expect(resource.status).toBeUndefined();
      expect(resource.spec.url).toBe(minimal.url);
    },
  );
});

describe("what is refused", () => {
  it.each<[string, unknown, string, RegExp]>([
    ["another kind", { ...manifest(minimal), kind: "OCIRepository" }, "kind", /write ArtifactRepository/],
    ["no spec", manifest(undefined), "spec", /map of fields/],
    ["no name", manifest(minimal, { metadata: {} }), "metadata.name", /text/],
    ["no interval", manifest({ url: minimal.url }), "spec.interval", /10m/],
    ["a bad interval", withSpec({ interval: "10 minutes" }), "spec.interval", /10m or 1h30m/],
    ["hours in timeout", withSpec({ timeout: "1h" }), "spec.timeout", /60s/],
    ["a number for a tag", withSpec({ ref: { tag: 1.1 } }), "spec.ref.tag", /quotes/],
    ["https", withSpec({ url: "https://ghcr.io/org/app" }), "spec.url", /oci:\/\//],
    ["a short digest", withSpec({ ref: { digest: "sha256:abc" } }), "spec.ref.digest", /64/],
    [
      "an unknown operation",
      withSpec({ layerSelector: { operation: "Unpack" } }),
      "spec.layerSelector.operation",
      /^write Extract, Copy or ExtractAll$/,
    ],
    [
      "a platform without architecture",
      withSpec({ indexSelector: { platform: "linux" } }),
      "spec.indexSelector.platform",
      /os\/architecture/,
    ],
    [
      "an unnamed issuer",
      withSpec({ verify: { matchOIDCIdentity: [{ subject: "x" }] } }),
      "spec.verify.matchOIDCIdentity[0].issuer",
      /text/,
    ],
    [
      "semver beside policy",
      withSpec({ ref: { semver: "1.x", policy: { numerical: {} } } }),
      "spec.ref",
      /either semver or policy/,
    ],
    [
      "semverFilter beside policy",
      withSpec({ ref: { semverFilter: "x", policy: { numerical: {} } } }),
      "spec.ref",
      /filterTags\.pattern/,
    ],
    ["filterTags without policy", withSpec({ ref: { filterTags: { pattern: "x" } } }), "spec.ref", /needs a policy/],
    [
      "imagePolicyRef beside tag",
      withSpec({ ref: { imagePolicyRef: { name: "p" }, tag: "1" } }),
      "spec.ref",
      /stands alone/,
    ],
    [
      "two policies",
      withSpec({ ref: { policy: { numerical: {}, alphabetical: {} } } }),
      "spec.ref.policy",
      /exactly one/,
    ],
    ["no policy", withSpec({ ref: { policy: {} } }), "spec.ref.policy", /exactly one/],
    [
      "notation without keys",
      withSpec({ verify: { provider: "notation" } }),
      "spec.verify",
      /notation needs secretRef/,
    ],
    [
      "keys and identities",
      withSpec({ verify: { secretRef: { name: "k" }, matchOIDCIdentity: [{ issuer: "i", subject: "s" }] } }),
      "spec.verify",
      /either/,
    ],
    [
      "layout with Copy",
      withSpec({ layerSelector: { operation: "Copy", layout: "LayerPerDir" } }),
      "spec.layerSelector",
      /ExtractAll/,
    ],
    [
      "onConflict with extract",
      withSpec({ layerSelector: { operation: "extract", onConflict: "Keep" } }),
      "spec.layerSelector",
      /ExtractAll/,
    ],
    [
      "onConflict where nothing conflicts",
      withSpec({ layerSelector: { layout: "LayerPerDir", onConflict: "Keep" } }),
      "spec.layerSelector",
      /Merge/,
    ],
    [
      "offset with ExtractAll",
      withSpec({ layerSelector: { operation: "ExtractAll", offset: 1 } }),
      "spec.layerSelector",
      /offset/,
    ],
    ["publish to nowhere", withSpec({ publish: {} }), "spec.publish", /at least one/],
    [
      "a tag in the push url",
      withSpec({ publish: { oci: { url: "oci://r.example/a:1" } } }),
      "spec.publish.oci.url",
      /without a tag/,
    ],
    [
      "retaining nothing",
      withSpec({ publish: { oci: { url: "oci://r.example/a", retain: 0 } } }),
      "spec.publish.oci.retain",
      /at least 1/,
    ],
    [
      "65 annotations",
      withSpec({
        indexSelector: { annotations: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, "v"])) },
      }),
      "spec.indexSelector.annotations",
      /at most 64/,
    ],
    [
      "33 tags",
      withSpec({ publish: { oci: { url: "oci://r.example/a", tags: Array.from({ length: 33 }, () => "x") } } }),
      "spec.publish.oci.tags",
      /at most 32 items/,
    ],
    ["a list", [], "", /map of fields/],
    ["nothing", undefined, "", /map of fields/],
  ])("refuses %s", (_, object, path, hint) => {
    const issues = refused(object);
    expect(issues.map((issue) => issue.path)).toContain(path);
    expect(issues.find((issue) => issue.path === path)?.hint).toMatch(hint);
  });

  it("says what an unknown field was meant to be, and which fields there are", () => {
    const [issue, ...others] = refused(withSpec({ layerSelector: { mediatype: "application/*" } }));
    expect(others).toEqual([]);
    expect(issue?.path).toBe("spec.layerSelector.mediatype");
    expect(issue?.hint).toContain("did you mean mediaType?");
    expect(issue?.hint).toContain("onConflict");
  });

  it("names fields within lists and beside far-off names", () => {
    const issues = refused(
      withSpec({ verify: { matchOIDCIdentity: [{ issuer: "i", subject: "s", audience: "a" }] }, zzz: 1 }),
    );
    expect(issues.map(({ path }) => path).sort()).toEqual(["spec.verify.matchOIDCIdentity[0].audience", "spec.zzz"]);
    expect(issues.find(({ path }) => path === "spec.zzz")?.hint).toMatch(
      /^remove this unknown field; the fields here are url, ref/,
    );
  });

  it("reports every issue at once, a line each", () => {
    const issues = refused(manifest({ url: "ghcr.io/x", ref: { tag: 1 } }));
    expect(formatIssues(issues).split("\n")).toEqual([
      'spec.url: found "ghcr.io/x"; write oci://registry/repository',
      expect.stringMatching(/^spec\.ref\.tag: found 1; write text/),
      expect.stringMatching(/^spec\.interval: missing; write a duration/),
    ]);
  });

  it("shows neither credentials nor endless values", () => {
    const [issue] = refused(withSpec({ url: `https://user:hunter2@ghcr.io/${"x".repeat(1000)}` }));
    expect(issue?.found).toContain("//***@ghcr.io");
    expect(issue?.found).not.toContain("hunter2");
    expect(issue?.found?.length).toBeLessThan(100);
  });
});
