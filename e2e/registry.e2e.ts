import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { filesOfDirectory, filesOfTarball, parseChecksums } from "./artifact.ts";
import { makeCertificate } from "./certificate.ts";
import { dockerLogin, strataJson, strataRefusal, type BuildReport, type Environment } from "./commands.ts";
import { digestOf, pushFixtures } from "./push.ts";
import { account, startRegistry, type Registry } from "./registry.ts";
import { strata } from "./strata.ts";
import { startTokenServer, type TokenServer } from "./token-server.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const password = new RegExp(
  `${account.password}|${Buffer.from(`${account.username}:${account.password}`).toString("base64")}`,
);

/** Both serve what was pushed to the open one. */
let htpasswd: Registry;
let token: Registry;
let tokens: TokenServer;
let pushed: readonly string[];
let login: Environment;

beforeAll(async () => {
  const open = await startRegistry(workspace, { name: "open" });
  pushed = await pushFixtures(open);
  tokens = await startTokenServer(workspace, account);
  [htpasswd, token] = await Promise.all([
    startRegistry(workspace, { name: "htpasswd", storage: open.storage, auth: "htpasswd" }),
    startRegistry(workspace, { name: "token", storage: open.storage, auth: tokens }),
  ]);
  login = await dockerLogin(workspace, "docker", [htpasswd.host, token.host]);
});

interface Example {
  readonly reference: string;
  readonly args?: readonly string[];
  readonly operation: string;
  readonly profile: string | null;
  readonly files: readonly string[];
  readonly skipped?: Readonly<Record<string, number>>;
}

const flux = {
  operation: "Extract",
  profile: "flux",
  files: ["deploy/configmap.yaml", "deploy/kustomization.yaml", "docs/notes.md"],
};
const config = { operation: "ExtractAll", profile: "oras", files: ["dir/b.txt", "dir/sub/x.yaml"] };
const imageFiles = ["etc/hard", "etc/one", "etc/three", "opt/app.yaml", "opt/arch"];
const image = { operation: "ExtractAll", profile: "image", files: imageFiles, skipped: { symlinks: 1 } };
const timoniFiles = [
  "README.md",
  "cue.mod/module.cue",
  "cue.mod/pkg/example.test/lib/lib.cue",
  "templates/config.cue",
  "timoni.cue",
  "values.cue",
];
const chartFiles = [
  "chart/.helmignore",
  "chart/Chart.yaml",
  "chart/templates/NOTES.txt",
  "chart/templates/_helpers.tpl",
  "chart/templates/deployment.yaml",
  "chart/templates/hpa.yaml",
  "chart/templates/httproute.yaml",
  "chart/templates/ingress.yaml",
  "chart/templates/service.yaml",
  "chart/templates/serviceaccount.yaml",
  "chart/templates/tests/test-connection.yaml",
  "chart/values.yaml",
];

const examples: readonly Example[] = [
  { reference: "flux/app:1.0.0", ...flux },
  {
    reference: "flux/app:1.0.0",
    args: ["--ignore", "/*", "--ignore", "!/deploy"],
    ...flux,
    files: flux.files.slice(0, 2),
    skipped: { ignored: 1 },
  },
  { reference: "helm/chart:0.1.0", operation: "Copy", profile: "helm", files: chartFiles },
  { reference: "timoni/mod:1.0.0", operation: "ExtractAll", profile: "timoni", files: timoniFiles },
  {
    reference: "timoni/mod",
    args: ["--operation", "ExtractAll", "--media-type", "application/vnd.timoni.content.*"],
    operation: "ExtractAll",
    profile: "timoni",
    files: timoniFiles,
  },
  {
    reference: "kyverno/policies:1.0.0",
    operation: "ExtractAll",
    profile: "kyverno",
    files: ["clusterpolicy-a.yaml", "clusterpolicy-b.yaml"],
  },
  {
    reference: "oras/files:1.0.0",
    operation: "ExtractAll",
    profile: "oras",
    files: ["data.json", "dir/b.txt", "dir/sub/x.yaml", "policy.rego"],
  },
  { reference: "image:1.0.0", ...image },
  { reference: "image:arm64", ...image },
  { reference: "product:1.0.0", args: ["--artifact-type", "application/vnd.example.config.*"], ...config },
  { reference: "product:1.0.0", args: ["--manifest-annotation", "role=config"], ...config },
  { reference: "product:1.0.0", args: ["--platform", "linux/arm64"], ...image },
  { reference: "twin:a", ...config, files: ["dir/sub/x.yaml"] },
  { reference: "signed/bundle:1.0.0", ...flux },
  { reference: "signed/legacy:1.0.0", ...flux },
  { reference: "signed/notation-cose:1.0.0", ...flux },
  { reference: "signed/notation-jws:1.0.0", ...flux },
  { reference: "signed/index:1.0.0", args: ["--platform", "linux/amd64"], ...image },
];

let outputs = 0;
async function newOutput(): Promise<string> {
  return join(await workspace.directory("out"), String(outputs++));
}

async function buildBoth({
  reference,
  args = [],
}: Pick<Example, "reference" | "args">): Promise<{ report: BuildReport; dir: string; tarball: Buffer }> {
  const out = await newOutput();
  const build = async (registry: Registry, to: string): Promise<BuildReport> =>
    await strataJson(["build", `oci://${registry.host}/${reference}`, "--insecure", ...args, "-o", to], login);
  const [report, again] = await Promise.all([build(htpasswd, out), build(token, `${out}.tar.gz`)]);
  expect(again).toEqual(report);
  return { report, dir: out, tarball: await readFile(`${out}.tar.gz`) };
}

describe("strata build", () => {
  it.each(examples.map((example) => ({ ...example, title: [example.reference, ...(example.args ?? [])].join(" ") })))(
    "$title",
    async ({ files, operation, profile, skipped = {}, ...example }) => {
      const { report, dir, tarball } = await buildBoth(example);
      expect(digestOf(tarball)).toBe(report.digest);
      expect(tarball.length).toBe(report.size);
      expect(report).toMatchObject({ operation, profile, skipped });
      const found = await filesOfDirectory(dir);
      expect(Object.keys(found)).toEqual(files);
      expect(await filesOfTarball(tarball)).toEqual(found);
    },
  );

  it("has an example of every repository", () => {
    const covered = new Set(examples.map(({ reference }) => reference.split(":")[0]));
    // Component versions have a suite of their own, ocm.e2e.ts.
    const layouts = pushed.filter((repository) => !repository.includes("/component-descriptors/"));
    expect(layouts.filter((repository) => !covered.has(repository))).toEqual([]);
  });
});

describe("the results", () => {
  it("of a Timoni module are the files that timoni itself pulls", async () => {
    const { dir } = await buildBoth({ reference: "timoni/mod:1.0.0", args: ["--operation", "ExtractAll"] });
    const expected = new URL("../src/testing/fixtures/expected/timoni-mod-pull.sha256", import.meta.url);
    expect(await filesOfDirectory(dir)).toEqual(parseChecksums(await readFile(expected, "utf8")));
  });

  it("of an image obey whiteouts and hard links", async () => {
    const { dir } = await buildBoth({ reference: "image:1.0.0" });
    const files = await filesOfDirectory(dir);
    expect(files["etc/three"]).toBe(files["etc/hard"]);
    expect(await readFile(join(dir, "etc/three"), "utf8")).toHaveLength(6);
    expect(await readFile(join(dir, "opt/arch"), "utf8")).toBe("amd64\n");
  });

  it("of a chart are the chart's bytes, although its provenance comes first", async () => {
    const { report } = await buildBoth({ reference: "helm/chart:0.1.0" });
    expect(report.layers).toEqual([
      expect.objectContaining({
        offset: 1,
        digest: report.digest,
        mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
      }),
    ]);
  });
});

describe("a refusal", () => {
  it("of twins names both, and writes nothing", async () => {
    const out = await newOutput();
    const error = await strataRefusal(["build", `oci://${htpasswd.host}/twin:1.0.0`, "--insecure", "-o", out], login);
    expect(error.code).toBe("AmbiguousManifest");
    const twins = [
      "sha256:4958527f6520240156b1992fd608d03e6ec8069294e645fe491ce3fc9aa552ce",
      "sha256:5cf2ae6897ab9b28eb300bef715b60cea7ae7a0441b328912ddc4564b31785e6",
    ];
    expect(error.candidates).toEqual(
      twins.map((digest) => ({ digest, artifactType: "application/vnd.example.config.v1", platform: null })),
    );
    for (const digest of twins) expect(error.message).toContain(digest);
    await expect(filesOfDirectory(out)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each<[reference: string, code: string, ...args: string[]]>([
    ["product:1.0.0", "AmbiguousManifest"],
    ["product:1.0.0", "NoManifestMatch", "--platform", "plan9/mips"],
    ["oras/files:1.0.0", "NoLayerMatch", "--media-type", "text/*"],
    ["oras/files:1.0.0", "OffsetOutOfRange", "--operation", "Copy", "--offset", "9"],
    ["flux/app:no-such-tag", "NotFound"],
    ["no/such/repository:1.0.0", "NotFound"],
  ])("of %s is %s", async (reference, code, ...args) => {
    const error = await strataRefusal(
      ["build", `oci://${htpasswd.host}/${reference}`, "--insecure", ...args, "-o", await newOutput()],
      login,
    );
    expect(error.code).toBe(code);
  });

  it("of wrong arguments ends with 2", async () => {
    const results = await Promise.all(
      [[], ["build"], ["build", "a", "b"], ["build", "--nonsense"], ["nonsense"]].map((args) => strata(args)),
    );
    expect(results.map(({ code, stdout }) => ({ code, stdout }))).toEqual(results.map(() => ({ code: 2, stdout: "" })));
  });
});

describe("credentials", () => {
  it("are asked for once, for pulling this repository alone", async () => {
    const before = tokens.grants.length;
    await strataJson(["build", `oci://${token.host}/image:1.0.0`, "--insecure", "-o", await newOutput()], login);
    expect(tokens.grants.slice(before)).toEqual([{ scope: "repository:image:pull", granted: true }]);
  });

  it("that are wrong are told of without showing them", async () => {
    const wrong = await dockerLogin(workspace, "wrong", [htpasswd.host, token.host], "correct-horse");
    for (const { host } of [htpasswd, token]) {
      const args = ["build", `oci://${host}/flux/app:1.0.0`, "--insecure", "-o", await newOutput()];
      const [text, error] = await Promise.all([strata(args, wrong), strataRefusal(args, wrong)]);
      expect(error.code).toBe("Unauthorized");
      expect(text).toMatchObject({ code: 1, stdout: "" });
      expect(text.stderr).toContain("[Unauthorized]");
      expect(text.stderr + JSON.stringify(error)).not.toMatch(
        new RegExp(`correct-horse|${Buffer.from("e2e:correct-horse").toString("base64")}`),
      );
    }
  });

  it("that are missing are told of", async () => {
    const nobody = { DOCKER_CONFIG: await workspace.directory("nobody") };
    for (const { host } of [htpasswd, token]) {
      expect(
        (await strataRefusal(["build", `oci://${host}/flux/app:1.0.0`, "--insecure", "-o", await newOutput()], nobody))
          .code,
      ).toBe("Unauthorized");
    }
  });

  it("appear in no output", async () => {
    const reference = `oci://${token.host}/product:1.0.0`;
    const results = await Promise.all(
      [
        ["build", reference, "--dry-run"],
        ["build", reference, "--dry-run", "--output", "json"],
        ["tree", reference],
      ].map((args) => strata([...args, "--insecure"], login)),
    );
    for (const { stdout, stderr } of results) expect(stdout + stderr).not.toMatch(password);
  });
});

describe("a registry with TLS", () => {
  let tls: Registry;
  let env: Environment;
  let caFile: string;
  beforeAll(async () => {
    const certificate = await makeCertificate(workspace, "registry");
    caFile = certificate.certFile;
    tls = await startRegistry(workspace, {
      name: "tls",
      storage: htpasswd.storage,
      auth: "htpasswd",
      tls: certificate,
    });
    env = await dockerLogin(workspace, "docker-tls", [tls.host]);
  });

  it("is trusted with --ca-file", async () => {
    const report = await strataJson<BuildReport>(
      ["build", `oci://${tls.host}/flux/app:1.0.0`, "--ca-file", caFile, "-o", await newOutput()],
      env,
    );
    expect(report).toMatchObject({ operation: "Extract" });
  });

  it("is trusted with the certificate that certSecretRef names", async () => {
    const dir = await workspace.directory("manifests");
    const manifest = join(dir, "tls.yaml");
    const spec = {
      url: `oci://${tls.host}/flux/app`,
      interval: "1h",
      ref: { tag: "1.0.0" },
      certSecretRef: { name: "ca" },
    };
    const documents = [
      { apiVersion: "source.strata.dev/v1beta1", kind: "ArtifactRepository", metadata: { name: "app" }, spec },
      {
        apiVersion: "v1",
        kind: "Secret",
        metadata: { name: "ca" },
        stringData: { "ca.crt": await readFile(caFile, "utf8") },
      },
    ];
    await mkdir(dir, { recursive: true });
    await writeFile(manifest, documents.map((document) => JSON.stringify(document)).join("\n---\n"));
    expect(await strataJson(["build", "-f", manifest, "-o", await newOutput()], env)).toMatchObject({
      operation: "Extract",
    });
  });

  it("is not trusted otherwise, nor spoken to in the clear", async () => {
    const args = ["build", `oci://${tls.host}/flux/app:1.0.0`, "-o", await newOutput()];
    expect((await strataRefusal(args, env)).code).toBe("TlsFailed");
    const clear = await strataRefusal([...args, "--insecure"], env);
    expect(clear.code).not.toBe("TlsFailed");
    expect(JSON.stringify(clear)).not.toMatch(password);
  });
});
