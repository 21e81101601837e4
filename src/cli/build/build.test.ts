import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { sha256Of } from "../../oci/digest.ts";
import { runStrata, testIO, type CommandResult } from "../../testing/command-io.ts";
import { runCommand } from "../run.ts";
import { startRegistry, testCa, type TestRegistry } from "../../testing/registry/registry.ts";
import { fixturesDir } from "../../testing/registry/layout.ts";

let registry: TestRegistry;
let dir: string;
let out: string;
beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
  dir = await mkdtemp(join(tmpdir(), "strata-build-test-"));
  out = join(dir, "out");
});
afterEach(async () => {
  await Promise.all([registry.close(), rm(dir, { recursive: true, force: true })]);
});

interface Report {
  readonly revision: string;
  readonly digest: string;
  readonly size: number;
  readonly operation: string;
  readonly profile: string | null;
  readonly layers: readonly { digest: string; offset: number; title?: string }[];
  readonly skipped: Readonly<Record<string, number>>;
  readonly verification?: { readonly result: string; readonly identity: string };
}

interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly candidates?: readonly { digest: string; artifactType: string | null; platform: string | null }[];
}

const url = (reference: string): string => `oci://${registry.host}/${reference}`;
const build = async (reference: string, ...args: string[]): Promise<CommandResult> =>
  await runStrata(["build", url(reference), "--insecure", ...args]);

async function report(reference: string, ...args: string[]): Promise<Report> {
  return parseReport(await build(reference, "-o", out, "--output", "json", ...args));
}

function parseReport({ code, stdout, stderr }: CommandResult): Report {
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Report;
}

function parseRefusal({ code, stdout, stderr }: CommandResult): Refusal {
  expect({ code, stderr }, stdout).toEqual({ code: 1, stderr: "" });
  return (JSON.parse(stdout) as { error: Refusal }).error;
}

async function filesIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(path.length + 1)] : []))
    .sort();
}

const blobRequests = (): string[] => registry.requests.flatMap(({ path }) => (path.includes("/blobs/") ? [path] : []));

describe("wrong arguments", () => {
  it.each<[string, string[], RegExp]>([
    ["nothing", [], /one reference, or -f FILE/],
    ["two references", ["oci://a/b", "oci://c/d", "-o", "out"], /one reference, or -f FILE/],
    ["nowhere to write", ["oci://a/b"], /-o DIR/],
    ["an unknown flag", ["oci://a/b", "-o", "out", "--plattform", "linux/arm64"], /plattform/],
    ["a flag without its value", ["oci://a/b", "-o"], /-o/],
    ["a value for a flag that has none", ["oci://a/b", "-o", "out", "--insecure=yes"], /insecure/],
    ["an unknown format", ["oci://a/b", "-o", "out", "--output", "xml"], /json or yaml/],
    ["no number", ["oci://a/b", "-o", "out", "--offset", "last"], /whole number/],
    ["half a number", ["oci://a/b", "-o", "out", "--offset", "1.5"], /whole number/],
    ["no pair", ["oci://a/b", "-o", "out", "--annotation", "role"], /KEY=VALUE/],
    ["no key", ["oci://a/b", "-o", "out", "--manifest-annotation", "=config"], /KEY=VALUE/],
    ["both a reference and a file", ["oci://a/b", "-f", "app.yaml", "-o", "out"], /not both/],
    ["a selection beside a file", ["-f", "app.yaml", "-o", "out", "--platform", "linux/arm64"], /remove --platform/],
    ["plain HTTP beside a file", ["-f", "app.yaml", "-o", "out", "--insecure"], /remove --insecure/],
    ["certificates beside a file", ["-f", "app.yaml", "-o", "out", "--ca-file", "ca.crt"], /remove --ca-file/],
  ])("%s: exit code 2 and a sentence", async (_, args, sentence) => {
    const { code, stdout, stderr } = await runStrata(["build", ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(sentence);
    expect(stderr).toContain("strata build --help");
  });

  it.each<[string, string[], string]>([
    ["a reference that is none", ["oci://registry.example/UPPER:1", "-o", "out"], "InvalidReference"],
    ["a digest that is none", ["oci://registry.example/app@sha256:123", "-o", "out"], "InvalidDigest"],
    ["an operation that is none", ["oci://a.example/b", "-o", "out", "--operation", "Unzip"], "InvalidSpec"],
    ["a match that is none", ["oci://a.example/b", "-o", "out", "--match", "Some"], "InvalidSpec"],
    ["a platform that is none", ["oci://a.example/b", "-o", "out", "--platform", "arm64"], "InvalidSpec"],
    ["a layout that is none", ["oci://a.example/b", "-o", "out", "--layout", "Flat"], "InvalidSpec"],
  ])("%s: exit code 2 and a code", async (_, args, code) => {
    const json = await runStrata(["build", ...args, "--output", "json"]);
    expect({ code: json.code, stderr: json.stderr }).toEqual({ code: 2, stderr: "" });
    expect(JSON.parse(json.stdout)).toMatchObject({ error: { code } });
    const { code: ended, stdout, stderr } = await runStrata(["build", ...args]);
    expect({ ended, stdout }).toEqual({ ended: 2, stdout: "" });
    expect(stderr).toContain(`[${code}]`);
    expect(stderr).toContain("strata build --help");
    expect(stderr).not.toMatch(/Selector|spec\./);
  });

  it.each<[string, string[], string]>([
    ["certificates that are not there", ["oci://a.example/b", "-o", "out", "--ca-file", "nowhere.crt"], "TlsFailed"],
    ["a file that is not there", ["-f", "nowhere.yaml", "-o", "out"], "InvalidSpec"],
    ["a layout on disk that is not there", ["oci-layout://nowhere:1", "-o", "out"], "NotFound"],
  ])("%s: exit code 1 and a code", async (_, args, code) => {
    const refusal = parseRefusal(await runStrata(["build", ...args, "--output", "json"]));
    expect(refusal.code).toBe(code);
    expect(refusal.message.length).toBeGreaterThan(20);
    expect((await runStrata(["build", ...args])).stderr).toContain(`[${code}]`);
  });
});

describe("a build from flags", () => {
  it("writes a directory, and tells about it in text", async () => {
    const { code, stdout, stderr } = await build("image:1.0.0", "-o", out);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(await filesIn(out)).toEqual(["etc/hard", "etc/one", "etc/three", "opt/app.yaml", "opt/arch"]);
    for (const text of [
      "upstream   1.0.0@sha256:9241473f",
      "3 layers, ExtractAll (image)",
      "linux/amd64 was taken",
      "1 symlink",
      "revision   1.0.0@sha256:",
      `written    ${out}`,
    ])
      expect(stdout).toContain(text);
  });

  it("writes a file, byte for byte where nothing needs changing", async () => {
    const file = join(dir, "new", "app.tar.gz");
    const { stdout } = await build("flux/app:1.0.0", "-o", file);
    expect(stdout).toContain("byte for byte as upstream");
    const layer = await readFile(
      join(fixturesDir, "flux/app/blobs/sha256/0f62f54b3f74f7f9184d73304f1758463b6f6f7cc2282f0602e9cd4f86b7d920"),
    );
    expect(await readFile(file)).toEqual(layer);
  });

  it("has the same digest as a directory, as a file and as YAML", async () => {
    const first = await report("timoni/mod:1.0.0");
    const file = join(dir, "module.tgz");
    const second = parseReport(await build("timoni/mod:1.0.0", "-o", file, "--output", "json"));
    expect(second).toEqual(first);
    expect(parse((await build("timoni/mod:1.0.0", "-o", out, "--output=yaml")).stdout)).toEqual(first);
    expect(sha256Of(await readFile(file))).toBe(first.digest);
    expect((await stat(file)).size).toBe(first.size);
    expect(first).toMatchObject({ operation: "ExtractAll", layout: "Merge", profile: "timoni", skipped: {} });
    expect(first.layers.map(({ offset }) => offset)).toEqual([0, 1]);
  });

  it.each<[string, string[]]>([
    ["flux/app:1.0.0", []],
    ["timoni/mod:1.0.0", []],
    ["image:1.0.0", []],
    ["image:1.0.0", ["--symlinks", "Follow", "--ignore", "/opt"]],
    ["oras/files:1.0.0", ["--layout", "LayerPerDir"]],
    ["flux/app:1.0.0", ["--operation", "Copy"]],
    ["flux/app:1.0.0", ["--ignore", "*.md"]],
  ])("writes the same directory without an artifact as from one: %s %j", async (reference, args) => {
    const fromArtifact = await report(reference, ...args);
    const direct = join(dir, "direct");
    const { code, stdout } = await build(reference, "-o", direct, ...args);
    expect(code).toBe(0);
    expect(stdout).toContain(`revision   ${fromArtifact.revision}\n`);
    expect(await filesIn(direct)).toEqual(await filesIn(out));
    for (const name of await filesIn(direct)) {
      expect(await readFile(join(direct, name)), name).toEqual(await readFile(join(out, name)));
      expect((await stat(join(direct, name))).mode, name).toBe((await stat(join(out, name))).mode);
    }
    const left = Object.entries(fromArtifact.skipped).map(
      ([what, count]) => `${count} ${count === 1 ? what.replace(/s$/, "") : what}`,
    );
    expect(stdout.match(/^left out   (.*)$/m)?.[1]?.split(", ") ?? []).toEqual(left);
  });

  it("writes no directory when the layer turns out to be none that can be extracted", async () => {
    const { code, stderr } = await build(
      "oras/files:1.0.0",
      "-o",
      out,
      "--operation",
      "Extract",
      "--media-type",
      "application/json",
    );
    expect(code).toBe(1);
    expect(stderr).toContain("[NotAnArchive]");
    await expect(stat(out)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it.each<[string[], string[]]>([
    [["--operation", "Copy", "--media-type", "application/json"], ["data.json"]],
    [["--operation", "Copy", "--offset", "-1"], ["policy.rego"]],
    [["--operation", "Copy", "--offset=2", "--filename", "{tag}{ext}"], ["1.0.0.rego"]],
    [["--annotation", "org.opencontainers.image.title=*.json"], ["data.json"]],
    [
      ["--operation", "ExtractAll", "--layout", "LayerPerDir", "--filename", "layer-{offset}"],
      ["layer-0/data.json", "layer-1/dir/b.txt", "layer-1/dir/sub/x.yaml", "layer-2/policy.rego"],
    ],
    [["--ignore", "*.rego", "--ignore", "/dir"], ["data.json"]],
  ])("takes what %j selects", async (args, files) => {
    await report("oras/files:1.0.0", ...args);
    expect(await filesIn(out)).toEqual(files);
  });

  it.each([
    ["--artifact-type", "application/vnd.example.config.*", ["dir/b.txt", "dir/sub/x.yaml"]],
    ["--manifest-annotation", "role=conf*", ["dir/b.txt", "dir/sub/x.yaml"]],
    ["--platform", "linux/arm64", ["etc/hard", "etc/one", "etc/three", "opt/app.yaml", "opt/arch"]],
  ])("finds a child of an index by %s %s", async (flag, value, files) => {
    await report("product:1.0.0", flag, value);
    expect(await filesIn(out)).toEqual(files);
  });

  it("names the tag in the revision, and nothing else with a digest", async () => {
    const { digest } = registry.store.manifest("timoni/mod", "1.0.0")!;
    const [byTag, byDigest, byDefault] = [
      await report("timoni/mod:1.0.0"),
      await report(`timoni/mod@${digest}`),
      await report("timoni/mod"),
    ];
    expect(byTag.revision).toMatch(/^1\.0\.0@sha256:[0-9a-f]{64}$/);
    expect(byDigest.revision).toBe(byTag.revision.replace("1.0.0@", ""));
    expect(byDefault.revision).toBe(byTag.revision.replace("1.0.0@", "latest@"));
  });

  it("reads a layout on disk without any request", async () => {
    const result = await runStrata([
      "build",
      `oci-layout://${join(fixturesDir, "timoni/mod")}:1.0.0`,
      "-o",
      out,
      "--output",
      "json",
    ]);
    const fromLayout = parseReport(result);
    expect(registry.requests).toEqual([]);
    expect(fromLayout).toEqual(await report("timoni/mod:1.0.0"));
  });

  it("trusts the certificates of --ca-file", async () => {
    await using tls = await startRegistry({ store: registry.store, tls: {} });
    const ca = join(dir, "ca.crt");
    await writeFile(ca, testCa());
    const args = ["build", `oci://${tls.host}/flux/app:1.0.0`, "-o", out, "--output", "json"];
    expect(parseReport(await runStrata([...args, "--ca-file", ca])).operation).toBe("Extract");
    expect(parseRefusal(await runStrata(args)).code).toBe("TlsFailed");
  });

  it("uses the credentials of docker login, and never shows them", async () => {
    await using locked = await startRegistry({
      store: registry.store,
      auth: { kind: "basic", accounts: { me: { password: "s3cret-word" } } },
    });
    const login = async (password: string): Promise<Record<string, string>> => {
      await writeFile(
        join(dir, "config.json"),
        JSON.stringify({ auths: { [locked.host]: { auth: Buffer.from(`me:${password}`).toString("base64") } } }),
      );
      return { DOCKER_CONFIG: dir };
    };
    const args = ["build", `oci://${locked.host}/flux/app:1.0.0`, "--insecure", "-o", out, "--output", "json"];
    expect(parseReport(await runStrata(args, { env: await login("s3cret-word") })).operation).toBe("Extract");
    const wrong = await runStrata(args, { env: await login("wr0ng-word") });
    expect(parseRefusal(wrong).code).toBe("Unauthorized");
    expect(wrong.stdout).not.toMatch(/wr0ng-word|s3cret-word/);
  });
});

describe("the place", () => {
  it.each([
    ["in text", []],
    ["as JSON", ["--output", "json"]],
    ["of a copy", ["--operation", "Copy", "--media-type", "*tar*"]],
  ])("refuses a directory that holds anything else, and clears it with --force: %s", async (_, args) => {
    const reference = "oras/files:1.0.0";
    await mkdir(join(out, "dir/old"), { recursive: true });
    await writeFile(join(out, "dir/old/leftover"), "of an earlier build");
    await writeFile(join(dir, "elsewhere"), "mine");
    await symlink(join(dir, "elsewhere"), join(out, "link"));
    const refused = await build(reference, "-o", out, ...args);
    expect(refused.code).toBe(1);
    expect(refused.stdout + refused.stderr).toMatch(/StorageFailed/);
    expect(refused.stdout + refused.stderr).toMatch(/dir(?:\/old)?, link.*--force/);
    expect(await filesIn(out)).toEqual(["dir/old/leftover"]);
    expect((await build(reference, "-o", out, "--force", ...args)).code).toBe(0);
    const fresh = join(dir, "fresh");
    expect((await build(reference, "-o", fresh, ...args)).code).toBe(0);
    expect(await filesIn(out)).toEqual(await filesIn(fresh));
    expect(await readFile(join(dir, "elsewhere"), "utf8")).toBe("mine");
    // The same build again finds nothing else.
    expect((await build(reference, "-o", out, ...args)).code).toBe(0);
    expect(await filesIn(out)).toEqual(await filesIn(fresh));
  });

  it("goes to standard output, with what is told on standard error", async () => {
    const file = join(dir, "a.tar.gz");
    await build("flux/app:1.0.0", "-o", file);
    const { io, written } = testIO();
    const chunks: Buffer[] = [];
    (io.stdout as PassThrough).on("data", (chunk: Buffer) => chunks.push(chunk));
    const reference = `oci://${registry.host}/flux/app:1.0.0`;
    expect(await runCommand(["build", reference, "--insecure", "-o", "-"], io)).toBe(0);
    expect(Buffer.concat(chunks)).toEqual(await readFile(file));
    expect(written().stderr).toContain("written    standard output");
    const { code, stderr } = await build("flux/app:1.0.0", "-o", "-", "--output", "json");
    expect([code, stderr]).toEqual([2, expect.stringContaining("leave one of them out")]);
  });

  it.each(["x.zip", "x.tar", "dir/x.TAR", "x.tar.xz", "x.tar.zst", "x.gz", ""])("is refused as %j", async (place) => {
    const { code, stderr } = await build("flux/app:1.0.0", "-o", place);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/write .*\.tar\.gz/)]);
  });

  it.each([
    ["/dev/null", "is not a directory"],
    ["/proc/nope/x.tar.gz", "cannot be written"],
    ["/proc/nope/out", "cannot be written"],
  ])("to %s fails at once", { timeout: 10_000 }, async (place, message) => {
    expect((await build("flux/app:1.0.0", "-o", place)).stderr).toContain(message);
    expect((await build("flux/app:1.0.0", "-o", place, "--output", "json")).stdout).toContain("StorageFailed");
  });

  it("is refused where a file or directory of the other kind is, before anything is asked for", async () => {
    await mkdir(join(dir, "a.tar.gz"));
    await writeFile(join(dir, "file"), "mine");
    const before = registry.requests.length;
    expect((await build("flux/app:1.0.0", "-o", join(dir, "a.tar.gz"))).stderr).toContain("a.tar.gz/ to write into it");
    expect((await build("flux/app:1.0.0", "-o", join(dir, "file"))).stderr).toContain("is not a directory");
    expect(registry.requests.length).toBe(before);
  });

  it("does not clear the directory that is read", async () => {
    const layout = join(dir, "layout");
    await cp(join(fixturesDir, "flux/app"), layout, { recursive: true });
    const before = await filesIn(layout);
    const { code, stderr } = await runStrata(["build", `oci-layout://${layout}:1.0.0`, "-o", layout, "--force"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("is read for the build")]);
    expect(await filesIn(layout)).toEqual(before);
  });

  it("with a symlink in the way is refused", async () => {
    await mkdir(out);
    await mkdir(join(dir, "target"));
    await symlink(join(dir, "target"), join(out, "dir"));
    expect(parseRefusal(await build("oras/files:1.0.0", "-o", out, "--output", "json")).code).toBe("ArchiveUnsafePath");
    expect(await readdir(join(dir, "target"))).toEqual([]);
  });

  it("that cannot be written is told of", async () => {
    await writeFile(join(dir, "file"), "");
    expect(
      parseRefusal(await build("flux/app:1.0.0", "-o", join(dir, "file", "out.tar.gz"), "--output", "json")).code,
    ).toBe("StorageFailed");
  });

  it("is not touched by a refusal, and no scratch directory stays", async () => {
    const scratch = join(dir, "scratch");
    await mkdir(scratch);
    vi.stubEnv("TMPDIR", scratch);
    try {
      parseRefusal(await build("twin:1.0.0", "-o", out, "--output", "json"));
      await expect(stat(out)).rejects.toMatchObject({ code: "ENOENT" });
      await report("flux/app:1.0.0");
      registry.faults.add({ path: /blobs/, corruptAt: 20 });
      parseRefusal(await build("flux/app:1.1.0", "-o", out, "--output", "json"));
      expect(await readdir(scratch)).toEqual([]);
    } finally {
      vi.unstubAllEnvs();
    }
  });
});

describe("progress", () => {
  it("is drawn on a terminal and taken away again", async () => {
    const { stderr } = await runStrata(["build", url("oras/files:1.0.0"), "--insecure", "-o", out], { terminal: true });
    expect(stderr).toContain("100 % 186 B/186 B dir\n");
    expect(stderr.endsWith("\u001B[0J")).toBe(true);
  });

  it("is not drawn into a pipe", async () => {
    expect((await build("oras/files:1.0.0", "-o", out)).stderr).toBe("");
  });
});

describe("a refusal", () => {
  it("lists the candidates for programs", async () => {
    const refusal = parseRefusal(await build("product:1.0.0", "-o", out, "--output", "json"));
    expect(refusal.code).toBe("AmbiguousManifest");
    expect(refusal.candidates).toHaveLength(5);
    expect(refusal.candidates).toContainEqual({
      digest: "sha256:876e4e7b953bf80fab205abc0ced51f776fd0db33d0486e537359406b5b84005",
      artifactType: "application/vnd.oci.image.config.v1+json",
      platform: "linux/arm64",
    });
  });

  it("is one YAML document with --output yaml, and one sentence for people", async () => {
    expect(parse((await build("twin:1.0.0", "-o", out, "--output", "yaml")).stdout)).toMatchObject({
      error: { code: "AmbiguousManifest", candidates: [{}, {}] },
    });
    const { code, stdout, stderr } = await build("twin:1.0.0", "-o", out);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error: [^\n]*\[AmbiguousManifest\]:\n.*\nas flags: @sha256:.*\n$/s);
  });

  it("comes as an abort when the command is stopped", async () => {
    registry.faults.add({ path: /blobs/, stallAfterBytes: 10 });
    const abort = new AbortController();
    const running = runStrata(["build", url("flux/app:1.0.0"), "--insecure", "-o", out, "--output", "json"], {
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(new DOMException("stopped by SIGINT", "AbortError")), 300);
    expect(parseRefusal(await running).code).toBe("Aborted");
  });
});

describe("--dry-run", () => {
  it("says what is taken and why, and downloads manifests alone", async () => {
    const { code, stdout, stderr } = await build("product:1.0.0", "--platform", "linux/arm64", "--dry-run");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("- ");
    expect(stdout).toContain("its platform linux/amd64 is not linux/arm64");
    expect(stdout).toContain("=> ExtractAll of 3 layers, as image");
    expect(registry.requests.length).toBeGreaterThan(0);
    expect(blobRequests()).toEqual([]);
  });

  it("is JSON for programs", async () => {
    const { stdout } = await build(
      "product:1.0.0",
      "--manifest-annotation",
      "role=config",
      "--dry-run",
      "--output",
      "json",
    );
    const document = JSON.parse(stdout) as {
      upstream: unknown;
      decisions: { kind: string; taken: boolean; reason: string }[];
      layers: unknown[];
    };
    expect(document).toMatchObject({
      upstream: { tag: "1.0.0", digest: registry.store.manifest("product", "1.0.0")!.digest },
      operation: "ExtractAll",
      profile: "oras",
      note: null,
    });
    expect(document.layers).toHaveLength(1);
    expect(document.decisions.filter(({ kind, taken }) => kind === "manifest" && taken)).toHaveLength(1);
    expect(blobRequests()).toEqual([]);
  });

  it("of what is refused shows the decisions and then the error", async () => {
    const { code, stdout, stderr } = await build("twin:1.0.0", "--dry-run");
    expect(code).toBe(1);
    expect(stdout.match(/^- .*one of 2 manifests/gm)).toHaveLength(2);
    expect(stderr).toContain("[AmbiguousManifest]");
    expect(parseRefusal(await build("twin:1.0.0", "--dry-run", "--output", "json")).candidates).toHaveLength(2);
  });
});

describe("a build from a file", () => {
  type Spec = Record<string, unknown>;
  const secret = (name: string, stringData: Record<string, string>): object => ({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name },
    stringData,
  });
  const fixture = async (name: string): Promise<string> => await readFile(join(fixturesDir, "..", name), "utf8");

  async function manifest(spec: Spec, ...others: object[]): Promise<string> {
    const path = join(dir, "app.yaml");
    const object = {
      apiVersion: "source.strata.dev/v1beta1",
      kind: "ArtifactRepository",
      metadata: { name: "app" },
      spec: { interval: "1h", insecure: true, ...spec },
    };
    await writeFile(path, [object, ...others].map((document) => JSON.stringify(document)).join("\n---\n"));
    return path;
  }

  const buildFile = async (spec: Spec, ...others: object[]): Promise<CommandResult> =>
    await runStrata(["build", "-f", await manifest(spec, ...others), "-o", out, "--output", "json"]);

  it("gives what the same flags give", async () => {
    const spec = {
      url: url("oras/files"),
      ref: { semver: ">=1.0.0" },
      layerSelector: { operation: "Copy", mediaType: "application/json", filename: "settings-{tag}.json" },
    };
    const fromFile = parseReport(await buildFile(spec));
    expect(await filesIn(out)).toEqual(["settings-1.0.0.json"]);
    expect(
      await report(
        "oras/files:1.0.0",
        "--operation",
        "Copy",
        "--media-type",
        "application/json",
        "--filename",
        "settings-{tag}.json",
      ),
    ).toEqual(fromFile);
  });

  it("reads standard input", async () => {
    const stdin = await readFile(await manifest({ url: url("flux/app"), ref: { tag: "1.0.0" } }), "utf8");
    expect(
      parseReport(await runStrata(["build", "-f", "-", "-o", out, "--output", "json"], { stdin })).revision,
    ).toMatch(/^1\.0\.0@/);
    expect(parseRefusal(await runStrata(["build", "-f", "-", "-o", out, "--output", "json"])).code).toBe("InvalidSpec");
  });

  it("follows an ImagePolicy of the same file", async () => {
    const policy = {
      apiVersion: "image.toolkit.fluxcd.io/v1",
      kind: "ImagePolicy",
      metadata: { name: "app" },
      status: { latestRef: { name: `${registry.host}/flux/app`, tag: "1.1.0" } },
    };
    const spec = { url: url("flux/app"), ref: { imagePolicyRef: { name: "app" } } };
    expect(parseReport(await buildFile(spec, policy)).revision).toMatch(/^1\.1\.0@/);
    expect(parseRefusal(await buildFile(spec)).code).toBe("DependencyNotReady");
  });

  it("uses the pull secret of the same file, and none of another namespace", async () => {
    await using locked = await startRegistry({
      store: registry.store,
      auth: { kind: "basic", accounts: { me: { password: "s3cret-word" } } },
    });
    const spec = { url: `oci://${locked.host}/flux/app`, ref: { tag: "1.0.0" }, secretRef: { name: "pull" } };
    const docker = JSON.stringify({ auths: { [locked.host]: { username: "me", password: "s3cret-word" } } });
    const pull = { ...secret("pull", { ".dockerconfigjson": docker }), type: "kubernetes.io/dockerconfigjson" };
    expect(parseReport(await buildFile(spec, pull)).operation).toBe("Extract");
    expect(parseRefusal(await buildFile(spec, { ...pull, metadata: { name: "pull", namespace: "other" } })).code).toBe(
      "SecretNotFound",
    );
    expect(parseRefusal(await buildFile(spec)).code).toBe("SecretNotFound");
    expect(parseRefusal(await buildFile(spec, pull, pull)).message).toContain("twice");
  });

  it.each([
    ["signed/bundle", "1.0.0", "Extract"],
    ["signed/legacy", "1.0.0", "Extract"],
    ["signed/index", "1.0.0", "ExtractAll"],
  ])("accepts the cosign signature of %s, and no other key's", async (path, tag, operation) => {
    const spec = {
      url: url(path),
      ref: { tag },
      verify: { provider: "cosign", secretRef: { name: "keys" } },
      indexSelector: { platform: "linux/amd64" },
    };
    const keys = secret("keys", { "release.pub": await fixture("cosign.pub") });
    const made = parseReport(await buildFile(spec, keys));
    expect(made).toMatchObject({ operation, verification: { provider: "cosign", result: "verified" } });
    expect(made.verification?.identity).toContain("release.pub");
    const text = await runStrata(["build", "-f", await manifest(spec, keys), "-o", out]);
    expect(text.stdout).toMatch(/^verified   .*release\.pub$/m);
    expect(parseRefusal(await buildFile({ ...spec, url: url("flux/app") }, keys)).code).toBe("VerificationFailed");
    expect(parseRefusal(await buildFile(spec)).code).toBe("SecretNotFound");
  });

  it("says where a notation policy does not enforce", async () => {
    // The fixture's certificate was valid for a day; what else strict asks for is enforced.
    const verification = (level: string): object => ({
      level,
      ...(level === "strict" && { override: { authenticTimestamp: "log" } }),
    });
    const policyOf = (level: string): string =>
      JSON.stringify({
        version: "1.0",
        trustPolicies: [
          {
            name: "all",
            registryScopes: ["*"],
            signatureVerification: verification(level),
            ...(level !== "skip" && { trustStores: ["ca:fixtures"], trustedIdentities: ["*"] }),
          },
        ],
      });
    const crt = await fixture("notation.crt");
    const spec = {
      url: url("signed/notation-jws"),
      ref: { tag: "1.0.0" },
      verify: { provider: "notation", secretRef: { name: "notation" } },
    };
    const withLevel = (level: string): object =>
      secret("notation", { "trustpolicy.json": policyOf(level), "ca.crt": crt });
    expect(parseReport(await buildFile(spec, withLevel("strict"))).verification?.result).toBe("verified");
    expect(parseReport(await buildFile(spec, withLevel("skip"))).verification?.result).toBe("ignored");
    const { stdout } = await runStrata(["build", "-f", await manifest(spec, withLevel("skip")), "-o", out]);
    expect(stdout).toMatch(/^unverified nobody/m);
    expect(stdout).not.toMatch(/^verified/m);
  });

  it("verifies before it downloads", async () => {
    const keys = secret("keys", { "release.pub": await fixture("cosign.pub") });
    parseRefusal(
      await buildFile(
        { url: url("flux/app"), ref: { tag: "1.0.0" }, verify: { provider: "cosign", secretRef: { name: "keys" } } },
        keys,
      ),
    );
    expect(blobRequests()).toEqual([]);
  });

  it.each<[string, Spec]>([
    ["no url", {}],
    ["an unknown operation", { url: "oci://a.example/b", layerSelector: { operation: "Unzip" } }],
    ["a tag in the url", { url: "oci://a.example/b:1.0.0" }],
  ])("with %s is refused", async (_, spec) => {
    expect(parseRefusal(await buildFile(spec)).code).toMatch(/^Invalid(?:Spec|Reference)$/);
  });
});
