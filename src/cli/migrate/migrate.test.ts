import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { parseArtifactRepository } from "../../../api/v1beta1/parse.ts";
import { codeOf } from "../../errors.ts";
import { runStrata } from "../../testing/command-io.ts";
import { scratch } from "../../testing/kube/client.ts";
import { migrateDocuments } from "./documents.ts";

const object = (spec: string, head = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository"): string =>
  `${head}\nmetadata:\n  name: app\n  namespace: apps\nspec:\n${spec.replace(/^/gm, "  ")}\n`;
const minimal = "interval: 10m\nurl: oci://ghcr.io/org/app";
const proposalHead = "apiVersion: source.example.io/v1alpha1\nkind: ArtifactRepository";

/** Spec of the only migrated object, which the API accepts. */
function migrated(text: string): { spec: Record<string, unknown>; notes: readonly string[]; yaml: string } {
  const { yaml, objects } = migrateDocuments(text);
  const value = parse(yaml) as { apiVersion: string; kind: string; spec: Record<string, unknown> };
  expect(value).toMatchObject({ apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository" });
  expect(parseArtifactRepository(value)).toHaveProperty("resource");
  return { spec: value.spec, notes: objects[0]!.notes, yaml };
}

function problemOf(text: string): string {
  let problem: unknown;
  try {
    migrateDocuments(text);
  } catch (error) {
    problem = error;
  }
  expect(codeOf(problem)).toBe("InvalidSpec");
  return (problem as Error).message;
}

describe("OCIRepository", () => {
  it.each(["v1", "v1beta2", "v1beta1"])("of %s keeps every field", (version) => {
    const spec = `interval: 10m
timeout: 90s
url: oci://ghcr.io/org/app
insecure: false
suspend: true
provider: aws
serviceAccountName: puller
secretRef: {name: a}
certSecretRef: {name: b}
proxySecretRef: {name: c}
ref: {tag: "1.0", semver: ">=1", semverFilter: ".*-rc.*", digest: ""}
layerSelector: {mediaType: application/x, operation: copy}
ignore: |
  /docs
verify:
  provider: cosign
  matchOIDCIdentity: [{issuer: ^a$, subject: ^b$}]`;
    const text = object(spec, `apiVersion: source.toolkit.fluxcd.io/${version}\nkind: OCIRepository`);
    const result = migrated(text);
    expect(result.spec).toEqual((parse(text) as { spec: object }).spec);
    expect(result.notes).toEqual([]);
  });

  it.each([
    ['{tag: "1.0", semverFilter: "^v"}', { tag: "1.0" }],
    ['{semverFilter: "^v"}', undefined],
    ['{digest: "", semver: "", semverFilter: "^v"}', { digest: "", semver: "" }],
  ])("loses the semverFilter that had no effect in %s", (ref, left) => {
    const result = migrated(object(`{interval: 1m, url: "oci://ghcr.io/org/app", ref: ${ref}}`));
    expect((result.spec as { ref?: object }).ref).toEqual(left);
    expect(result.notes).toEqual([expect.stringContaining("semverFilter is left out")]);
  });

  it("asks which of plain HTTP and certificates is meant", () => {
    const spec = '{interval: 1m, url: "oci://ghcr.io/org/app", insecure: true, certSecretRef: {name: b}}';
    expect(problemOf(object(spec))).toContain("remove one of the two");
  });

  it("loses what the API server added", () => {
    const text = `apiVersion: source.toolkit.fluxcd.io/v1
kind: OCIRepository
metadata:
  name: app
  uid: 4d4d
  resourceVersion: "12"
  generation: 3
  creationTimestamp: "2026-01-01T00:00:00Z"
  finalizers: [finalizers.fluxcd.io]
  labels: {team: a}
  annotations:
    kubectl.kubernetes.io/last-applied-configuration: "{}"
spec: {interval: 1m, url: "oci://ghcr.io/org/app"}
status: {observedGeneration: 3}
`;
    const { yaml } = migrated(text);
    expect(parse(yaml)).toEqual({
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "app", labels: { team: "a" } },
      spec: { interval: "1m", url: "oci://ghcr.io/org/app" },
    });
  });

  it("keeps comments and the order of its fields", () => {
    const text = object(`# how often
interval: 10m # in minutes
# where
url: oci://ghcr.io/org/app
ref:
  tag: 1.0.0 # {"$imagepolicy": "apps:app:tag"}`);
    const expected = text.replace(
      "source.toolkit.fluxcd.io/v1\nkind: OCIRepository",
      "source.strata.dev/v1beta1\nkind: ArtifactRepository",
    );
    expect(migrated(text).yaml).toBe(expected);
  });

  it("says which fields it could not take over", () => {
    const { spec, notes } = migrated(
      object(`${minimal}\ncolour: red\nsecretRef:\n  name: a\n  namespace: other\nlayerSelector:\n  mediatype: x`),
    );
    expect(spec).toEqual({
      interval: "10m",
      url: "oci://ghcr.io/org/app",
      secretRef: { name: "a" },
      layerSelector: {},
    });
    expect(new Set(notes.map((note) => note.split(" ")[0]))).toEqual(
      new Set(["spec.colour", "spec.layerSelector.mediatype", "spec.secretRef.namespace"]),
    );
  });

  it.each([
    ["what would verify less", `${minimal}\nverify:\n  provider: cosign\n  keys: [a]`, /spec\.verify\.keys/],
    ["notation without keys", `${minimal}\nverify:\n  provider: notation`, /notation/],
    ["no interval", "url: oci://ghcr.io/org/app", /spec\.interval/],
    ["another scheme", "interval: 1m\nurl: https://ghcr.io/org/app", /spec\.url/],
    ["a merge key", `${minimal}\n<<: {provider: aws}`, /merge key/],
  ])("refuses %s", (_, spec, message) => {
    expect(problemOf(object(spec))).toMatch(message);
  });

  it("refuses an alias as spec", () => {
    expect(
      problemOf("apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: &m {name: a}\nspec: *m\n"),
    ).toMatch(/alias/);
  });

  it("names every broken object at once", () => {
    const broken = object("interval: never").replaceAll("name: app\n", "name: second\n");
    expect(problemOf(`${object("interval: 1m")}---\n${broken}`)).toMatch(/apps\/app:[^]*apps\/second:/);
  });
});

describe("the older proposal", () => {
  it("becomes url and ref, with its comments", () => {
    const text = object(
      `# which image
image: ghcr.io/org/app
interval: 5m
# newest build of main
filterTags:
  pattern: ^main-(?P<ts>.*)
  extract: $ts
policy:
  numerical:
    order: asc
verify:
  secretRef:
    name: keys`,
      proposalHead,
    );
    const { spec, yaml } = migrated(text);
    expect(spec).toEqual({
      url: "oci://ghcr.io/org/app",
      ref: { filterTags: { pattern: "^main-(?P<ts>.*)", extract: "$ts" }, policy: { numerical: { order: "asc" } } },
      interval: "5m",
      verify: { secretRef: { name: "keys" } },
    });
    expect(yaml).toContain("# which image\n  url:");
    expect(yaml).toContain("    # newest build of main\n    filterTags:");
  });

  it.each([
    ["image: ghcr.io/org/app\ntag: 1.0.0", { url: "oci://ghcr.io/org/app", ref: { tag: "1.0.0" } }],
    ["image: oci://ghcr.io/org/app:1.0.0", { url: "oci://ghcr.io/org/app", ref: { tag: "1.0.0" } }],
    ["image: localhost:5000/app:a\ntag: a", { url: "oci://localhost:5000/app", ref: { tag: "a" } }],
    ["image: org/app", { url: "oci://docker.io/org/app" }],
    ["image: nginx:1", { url: "oci://docker.io/library/nginx", ref: { tag: "1" } }],
    [
      `image: ghcr.io/org/app@sha256:${"a".repeat(64)}`,
      { url: "oci://ghcr.io/org/app", ref: { digest: `sha256:${"a".repeat(64)}` } },
    ],
    ["image: ghcr.io/org/app\nref:\n  tag: x", { url: "oci://ghcr.io/org/app", ref: { tag: "x" } }],
  ])("reads %j", (fields, expected) => {
    expect(migrated(object(`${fields}\ninterval: 1m`, proposalHead)).spec).toEqual({ ...expected, interval: "1m" });
  });

  it("is known as an OCIRepository too", () => {
    expect(migrated(object("image: ghcr.io/org/app\ninterval: 1m")).spec["url"]).toBe("oci://ghcr.io/org/app");
  });

  it("says that a policy overrides the tag", () => {
    const { notes } = migrated(
      object("image: ghcr.io/org/app:1\ninterval: 1m\npolicy: {alphabetical: {order: asc}}", proposalHead),
    );
    expect(notes).toEqual([expect.stringContaining("ref.tag")]);
  });

  it.each([
    ["two tags", "image: ghcr.io/org/app:1\ntag: 2", /tag/],
    ["image and url", "image: ghcr.io/org/app\nurl: oci://ghcr.io/org/app", /both image and url/],
    ["tag and ref.tag", "image: ghcr.io/org/app\ntag: a\nref: {tag: b}", /both tag and ref\.tag/],
    ["a bad name", "image: ghcr.io/Org/App", /spec\.image/],
    ["no text", "image: {name: app}", /spec\.image/],
    ["filterTags alone", "image: ghcr.io/org/app\nfilterTags: {pattern: a}", /filterTags/],
  ])("refuses %s", (_, fields, message) => {
    expect(problemOf(object(`${fields}\ninterval: 1m`, proposalHead))).toMatch(message);
  });
});

describe("other documents", () => {
  const kustomization = `---
# odd    spacing
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind:   Kustomization
metadata: {name: app, namespace: apps}
spec:
    sourceRef: {kind: OCIRepository, name: app}
    healthChecks: [{kind: OCIRepository, name: app, namespace: elsewhere}]
...
`;

  it("pass through byte for byte, with what they have to change", () => {
    const secret = "apiVersion: v1\nkind: Secret\r\nmetadata: {name: s}\n";
    const { yaml, objects } = migrateDocuments(`${secret}${kustomization}---\n${object(minimal)}`);
    expect(yaml.startsWith(secret + kustomization)).toBe(true);
    expect(objects.map(({ title, migrated }) => [title, migrated])).toEqual([
      ["Secret default/s", false],
      ["Kustomization apps/app", false],
      ["OCIRepository apps/app", true],
    ]);
    expect(objects[1]!.notes).toEqual([expect.stringMatching(/^spec\.sourceRef .*ExternalArtifact/)]);
  });

  it.each([
    ["a HelmRelease", "chartRef: {kind: OCIRepository, name: app}", "spec.chartRef"],
    [
      "a Receiver",
      "resources: [{kind: Bucket, name: x}, {kind: OCIRepository, name: app, namespace: apps}]",
      "spec.resources[1]",
    ],
  ])("such as %s are told where they name it", (_, field, path) => {
    const consumer = `apiVersion: v2\nkind: Consumer\nmetadata: {name: c, namespace: apps}\nspec:\n  ${field}\n`;
    expect(migrateDocuments(`${consumer}---\n${object(minimal)}`).objects[0]!.notes).toEqual([
      expect.stringContaining(`${path} names`),
    ]);
  });

  it("are rewritten where that is asked for, with their comments", () => {
    const text = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: app, namespace: apps}
spec:
  # from the registry
  sourceRef:
    apiVersion: source.toolkit.fluxcd.io/v1beta2
    kind: OCIRepository # the old one
    name: app
  healthChecks: [{kind: OCIRepository, name: app, namespace: elsewhere}]
`;
    const receiver =
      "apiVersion: v1\nkind: Receiver\nmetadata: {name: r, namespace: apps}\nspec: {resources: [{kind: OCIRepository, name: app}]}\n";
    const other = "apiVersion: v1\nkind:   Secret\nmetadata: {name: s}\n";
    const { yaml, objects } = migrateDocuments(`${text}---\n${receiver}---\n${other}---\n${object(minimal)}`, {
      consumers: true,
    });
    expect(yaml).toContain(`  # from the registry
  sourceRef:
    apiVersion: source.toolkit.fluxcd.io/v1
    kind: ExternalArtifact # the old one
    name: app
`);
    expect(yaml).toContain("{ kind: OCIRepository, name: app, namespace: elsewhere }");
    expect(yaml).toContain("{ kind: ExternalArtifact, name: app }");
    expect(yaml).toContain(`---\n${other}---`);
    expect(objects.map(({ migrated, rewritten }) => [migrated, rewritten])).toEqual([
      [false, true],
      [false, true],
      [false, false],
      [true, false],
    ]);
    expect(objects[0]!.notes).toEqual([expect.stringMatching(/^spec\.sourceRef .* names the ExternalArtifact now$/)]);
  });

  it("that say it by an alias are not rewritten behind somebody's back", () => {
    const text =
      "apiVersion: v1\nkind: K\nmetadata: {name: k, namespace: apps}\na: &ref {kind: OCIRepository, name: app}\nspec: {sourceRef: *ref}\n";
    expect(() => migrateDocuments(`${text}---\n${object(minimal)}`, { consumers: true })).toThrow(
      /alias.*write it out/,
    );
  });

  it("may be ArtifactRepositories already", () => {
    const text = object(minimal, "apiVersion: source.strata.dev/v1beta1\nkind: ArtifactRepository");
    expect(migrateDocuments(text)).toMatchObject({ yaml: text, objects: [{ migrated: false }] });
  });

  it("are refused where they are not YAML", () => {
    expect(problemOf(`${object(minimal)}---\na: [`)).not.toBe("");
  });
});

describe("lists", () => {
  it.each(["List", "OCIRepositoryList"])("such as %s of kubectl are migrated item by item", (kind) => {
    const item = {
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "OCIRepository",
      metadata: { name: "app", uid: "x" },
      spec: { interval: "1m", url: "oci://a.example/b" },
      status: {},
    };
    const other = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" } };
    const { yaml } = migrateDocuments(JSON.stringify({ apiVersion: "v1", kind, items: [item, other] }, null, 2));
    const list = parse(yaml) as { kind: string; items: unknown[] };
    expect(list.kind).toBe("List");
    expect(list.items[0]).toEqual({
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "app" },
      spec: item.spec,
    });
    expect(list.items[1]).toEqual(other);
  });
});

describe("strata migrate", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "strata-migrate-"));
  });
  afterAll(async () => await rm(dir, { recursive: true }));

  const write = async (text: string): Promise<string> => {
    const path = join(dir, "in.yaml");
    await writeFile(path, text);
    return path;
  };

  it("writes manifests to stdout and what to change to stderr", async () => {
    const path = await write(`${object(minimal)}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n`);
    const { code, stdout, stderr } = await runStrata(["migrate", "-f", path]);
    expect(code).toBe(0);
    expect(
      parseAllDocuments(stdout).map((document) => (document as { get(key: string): unknown }).get("kind")),
    ).toEqual(["ArtifactRepository", "ConfigMap"]);
    expect(stderr).toContain("OCIRepository apps/app: now ArtifactRepository apps/app");
    expect(stderr).toContain("write kind: ExternalArtifact");
    expect(stderr).toContain("ConfigMap default/c: not changed");
  });

  it("writes nothing when one object is broken", async () => {
    const { code, stdout, stderr } = await runStrata([
      "migrate",
      "-f",
      await write(`${object(minimal)}---\n${object("interval: 1m")}`),
    ]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toContain("spec.url");
  });

  it("says so where there is nothing to do", async () => {
    const { code, stderr } = await runStrata(["migrate", "-f", await write("a: 1\n")]);
    expect(code).toBe(0);
    expect(stderr).toContain("nothing to migrate");
  });

  it.each([[[]], [["file.yaml"]], [["-f"]], [["--unknown"]]])("takes no %j", async (args) => {
    expect((await runStrata(["migrate", ...args])).code).toBe(2);
  });

  it("fails for a file that is not there", async () => {
    expect(await runStrata(["migrate", "-f", join(dir, "none.yaml")])).toMatchObject({ code: 1, stdout: "" });
  });
});

it("several files are one", async () => {
  await using directory = await scratch();
  const dir = directory.path;
  const [source, consumer] = [join(dir, "source.yaml"), join(dir, "consumer.yaml")];
  await writeFile(source, object(minimal).trimEnd());
  await writeFile(
    consumer,
    "apiVersion: v1\nkind: Kustomization\nmetadata: {name: k, namespace: apps}\nspec: {sourceRef: {kind: OCIRepository, name: app}}\n",
  );
  const { code, stdout, stderr } = await runStrata(["migrate", "-f", consumer, "-f", source, "--consumers"]);
  expect(code).toBe(0);
  expect(parseAllDocuments(stdout).map((document) => (document.toJS() as { kind: string }).kind)).toEqual([
    "Kustomization",
    "ArtifactRepository",
  ]);
  expect(stdout).toContain("kind: ExternalArtifact");
  expect(stderr).toContain("now reads ExternalArtifacts");
  expect((await runStrata(["migrate", "-f", "-", "-f", "-"])).code).toBe(2);
});
