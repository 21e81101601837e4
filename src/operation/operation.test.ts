import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../config.ts";
import type { CodedError } from "../errors.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Fetcher } from "../oci/content.ts";
import type { Digest, Layer, ManifestNode } from "../oci/types.ts";
import { filesIn, fixture, layersOf, manifestNode } from "../testing/archives/layers.ts";
import { copy } from "./copy.ts";
import { extractAll } from "./extract-all.ts";
import { extract, extractTree } from "./extract.ts";
import { operations } from "./table.ts";
import type { LayoutRules, OperationIO, OperationOptions } from "./operation.ts";

const titleKey = "org.opencontainers.image.title";
const options: OperationOptions = {
  layout: "Merge",
  onConflict: "Fail",
  symlinks: "Skip",
  tag: "1.0.0",
  repository: "team/app",
};
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "strata-operation-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function io(fetcher: Fetcher, more: Partial<OperationIO> = {}): OperationIO {
  return { fetcher, dir, limits: defaultLimits, signal: new AbortController().signal, ...more };
}

/** Layers in memory. */
class Shelf implements Fetcher {
  readonly contents = new Map<string, Buffer>();
  fetched = 0;
  fetch({ digest }: { digest: Digest }): Promise<Readable> {
    this.fetched += 1;
    const content = this.contents.get(digest);
    return content === undefined
      ? Promise.reject(new Error(`no ${digest}`))
      : Promise.resolve(Readable.from([content], { objectMode: false }));
  }
  layer(
    content: string | Buffer,
    more: {
      mediaType?: string;
      title?: string;
      ordinal?: number;
      node?: ManifestNode;
      annotations?: Record<string, string>;
    } = {},
  ): Layer {
    const bytes = Buffer.from(content);
    const digest = sha256Of(bytes);
    this.contents.set(digest, bytes);
    const annotations = { ...more.annotations, ...(more.title !== undefined && { [titleKey]: more.title }) };
    return {
      descriptor: { mediaType: more.mediaType ?? "application/octet-stream", digest, size: bytes.length, annotations },
      node: more.node ?? node("a"),
      ordinal: more.ordinal ?? 0,
    };
  }
}

function node(name: string, more: Partial<ManifestNode> = {}): ManifestNode {
  const config = { mediaType: "application/vnd.example.config.v1+json", digest: sha256Of("{}"), size: 2 };
  return {
    descriptor: { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256Of(name), size: 10 },
    manifest: { kind: "manifest", mediaType: "application/vnd.oci.image.manifest.v1+json", config, layers: [] },
    path: [],
    effectiveType: config.mediaType,
    effectiveAnnotations: {},
    ...more,
  };
}

/** A tar of plain files. */
function tar(files: Record<string, string>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, content] of Object.entries(files)) {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write("0000644\0".concat("0000000\0", "0000000\0"), 100);
    header.write(Buffer.byteLength(content).toString(8).padStart(11, "0") + "\x0000000000000\0", 124);
    header.write("        0", 148);
    header.write("ustar\x0000", 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(sum.toString(8).padStart(6, "0") + "\0 ", 148);
    blocks.push(header, Buffer.from(content), Buffer.alloc((512 - (Buffer.byteLength(content) % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const texts = async (path: string): Promise<Record<string, string>> =>
  Object.fromEntries(
    [...(await filesIn(path))]
      .filter(([name]) => !name.endsWith("/"))
      .map(([name, { content }]) => [name, content.toString()]),
  );

describe("ExtractAll", () => {
  it("of a Timoni module gives what timoni mod pull gives", async () => {
    const repository = fixture("timoni/mod");
    const layers = layersOf(await manifestNode(repository, "1.0.0"));
    const { blob } = await extractAll(layers, options, io(repository));
    const expected = await readFile(
      join(import.meta.dirname, "../testing/fixtures/expected/timoni-mod-pull.sha256"),
      "utf8",
    );
    const found = [...(await filesIn(blob.path))]
      .filter(([name]) => !name.endsWith("/"))
      .map(([name, { content }]) => `${createHash("sha256").update(content).digest("hex")}  ./${name}`);
    expect(found).toEqual(expected.trim().split("\n"));
    expect(await readFile(blob.path).then(sha256Of)).toBe(blob.digest);
  });

  it("gives the same digests on every run", async () => {
    const repository = fixture("timoni/mod");
    const layers = layersOf(await manifestNode(repository, "1.0.0"));
    const blobs = [];
    for (const run of ["one", "two"]) {
      const scratch = await mkdtemp(join(dir, run));
      blobs.push((await extractAll(layers, options, io(repository, { dir: scratch }))).blob);
    }
    expect(blobs[0]!.contentDigest).toBe(blobs[1]!.contentDigest);
    expect(blobs[0]!.digest).toBe(blobs[1]!.digest);
  });

  it("of ORAS files gives the files and the directory", async () => {
    const repository = fixture("oras/files");
    const layers = layersOf(await manifestNode(repository, "1.0.0"));
    const { blob } = await extractAll(layers, options, io(repository));
    const names = [...(await filesIn(blob.path)).keys()];
    expect(names.filter((name) => !name.endsWith("/")).length).toBeGreaterThanOrEqual(layers.length);
    expect(names).toEqual([...names].sort());
  });

  it("names raw layers by template, known layout, title and repository, in this order", async () => {
    const shelf = new Shelf();
    const layers = [
      shelf.layer("a", { title: "titled.txt", mediaType: "text/plain" }),
      shelf.layer("{}", { ordinal: 1, mediaType: "application/json" }),
    ];
    const run = async (more: Partial<OperationOptions>): Promise<string[]> => {
      const scratch = await mkdtemp(join(dir, "names"));
      return Object.keys(
        await texts((await extractAll(layers, { ...options, ...more }, io(shelf, { dir: scratch }))).blob.path),
      );
    };
    expect(await run({})).toEqual(["app.json", "titled.txt"]);
    expect(await run({ nameOf: ({ ordinal }) => `known-${ordinal}` })).toEqual(["known-0", "known-1"]);
    expect(await run({ filename: "{tag}-{offset}{ext}", nameOf: () => "known" })).toEqual([
      "1.0.0-0.txt",
      "1.0.0-1.json",
    ]);
  });

  it("fails where two layers hold one path with different content, and says what to do", async () => {
    const shelf = new Shelf();
    const layers = [shelf.layer("a", { title: "same.txt" }), shelf.layer("b", { title: "same.txt", ordinal: 1 })];
    await expect(extractAll(layers, options, io(shelf))).rejects.toMatchObject({
      code: "PathConflict",
      details: { path: "same.txt" },
    });
  });

  it.each([
    ["Overwrite", "b"],
    ["Keep", "a"],
  ] as const)("keeps one of them under %s", async (onConflict, expected) => {
    const shelf = new Shelf();
    const layers = [shelf.layer("a", { title: "same.txt" }), shelf.layer("b", { title: "same.txt", ordinal: 1 })];
    expect(await texts((await extractAll(layers, { ...options, onConflict }, io(shelf))).blob.path)).toEqual({
      "same.txt": expected,
    });
  });

  it("takes equal content at one path for no conflict", async () => {
    const shelf = new Shelf();
    const layers = [
      shelf.layer("a", { title: "same.txt" }),
      shelf.layer(gzipSync(tar({ "same.txt": "a" })), { ordinal: 1 }),
    ];
    expect(await texts((await extractAll(layers, options, io(shelf))).blob.path)).toEqual({ "same.txt": "a" });
  });

  it("puts each layer into a directory of its own under LayerPerDir", async () => {
    const shelf = new Shelf();
    const layers = [
      shelf.layer(tar({ "x.txt": "1" }), { title: "first" }),
      shelf.layer("raw", { ordinal: 1, mediaType: "text/plain" }),
    ];
    expect(await texts((await extractAll(layers, { ...options, layout: "LayerPerDir" }, io(shelf))).blob.path)).toEqual(
      { "first/x.txt": "1", "1/app.txt": "raw" },
    );
  });

  it("puts each manifest into a directory of its own under ManifestPerDir", async () => {
    const shelf = new Shelf();
    const arm = node("arm", {
      descriptor: { ...node("arm").descriptor, platform: { os: "linux", architecture: "arm64", variant: "v8" } },
    });
    const titled = node("t", { effectiveAnnotations: { [titleKey]: "tools" } });
    const layers = [
      shelf.layer(tar({ "x.txt": "1" }), { node: arm }),
      shelf.layer(tar({ "x.txt": "2" }), { node: titled }),
    ];
    expect(
      await texts((await extractAll(layers, { ...options, layout: "ManifestPerDir" }, io(shelf))).blob.path),
    ).toEqual({ "linux-arm64-v8/x.txt": "1", "tools/x.txt": "2" });
  });

  it("leaves out nothing that nobody has named", async () => {
    const shelf = new Shelf();
    const files = { "logo.png": "p", ".git/config": "g", "a.zip": "z", ".sops.yaml": "s" };
    const layers = [shelf.layer(tar(files)), shelf.layer("x", { ordinal: 1, title: "lone.png" })];
    const result = await extractAll(layers, options, io(shelf));
    expect(await texts(result.blob.path)).toEqual({ ...files, "lone.png": "x" });
    expect(result).toMatchObject({ skipped: { ignored: 0 }, leftOut: [] });
  });

  it("names what is left out, with the pattern and where it stands", async () => {
    const shelf = new Shelf();
    const layers = [shelf.layer(tar({ "a.png": "p", "d/b.md": "m", "d/.sourceignore": "*.md\n", k: "k" }))];
    expect(await extractAll(layers, { ...options, ignore: "*.png" }, io(shelf))).toMatchObject({
      skipped: { ignored: 2 },
      leftOut: ['"a.png" by "*.png" of spec.ignore', '"d/b.md" by "*.md" of d/.sourceignore'],
    });
    const lone = [shelf.layer(gzipSync(tar({ "a.png": "p" })))];
    const other = await mkdtemp(join(dir, "lone"));
    await expect(extract(lone, options, io(shelf, { dir: other }))).rejects.toThrow(
      'every file is left out (1): "a.png" by "*.png" of Flux\'s default exclusions',
    );
  });

  it.each(["LayerPerDir", "ManifestPerDir"] as const)(
    "shows patterns the paths inside of a directory of %s",
    async (layout) => {
      const shelf = new Shelf();
      const named = node("n", { effectiveAnnotations: { [titleKey]: "site.tar.gz" } });
      const layer = shelf.layer(tar({ "a.tar.gz": "1", "docs/x.md": "2", "sub/docs/y.md": "3" }), {
        title: "site.tar.gz",
        node: named,
      });
      const { blob } = await extractAll([layer], { ...options, layout, ignore: "/docs\n*.tar.gz" }, io(shelf));
      expect(await texts(blob.path)).toEqual({ "site.tar.gz/sub/docs/y.md": "3" });
    },
  );

  const valid = tar({ "a.yaml": "a" });
  const wrongSum = Buffer.from(valid);
  wrongSum[152]! ^= 1;
  it.each<[string, Buffer]>([
    ["gzip of something else", gzipSync("hello")],
    ["a wrong checksum", gzipSync(wrongSum)],
    ["a wrong checksum, uncompressed", wrongSum],
    ["a tar that breaks off", gzipSync(valid.subarray(0, 700))],
    ["a stream that breaks off", gzipSync(valid).subarray(0, -12)],
    ["something after the stream", Buffer.concat([gzipSync(valid), Buffer.from("trailing")])],
    ["a zip file that breaks off", Buffer.concat([Buffer.from("PK\x03\x04"), Buffer.alloc(60)])],
  ])("refuses an archive that cannot be read, as Extract does: %s", async (_, content) => {
    for (const [run, operation] of Object.entries({ extract, extractAll })) {
      const shelf = new Shelf();
      const layers = [shelf.layer(content, { mediaType: "application/vnd.example.content.v1.tar+gzip" })];
      const scratch = await mkdtemp(join(dir, run));
      const error = await operation(layers, options, io(shelf, { dir: scratch })).catch((thrown: unknown) => thrown);
      expect(["NotAnArchive", "ArchiveInvalid"]).toContain((error as CodedError).code);
      expect((error as CodedError).message).toContain("write\nlayerSelector:\n  operation: Copy");
    }
  });

  it("takes zeros after a gzip stream for padding, and does not publish them", async () => {
    for (const run of [extract, extractAll]) {
      const shelf = new Shelf();
      const padded = Buffer.concat([gzipSync(valid), Buffer.alloc(1024)]);
      const { blob } = await run(
        [shelf.layer(padded)],
        options,
        io(shelf, { dir: await mkdtemp(join(dir, "padded")) }),
      );
      expect([blob.verbatim, await texts(blob.path)]).toEqual([false, { "a.yaml": "a" }]);
    }
  });

  it("names an entry that is not UTF-8, and lets ignore leave it out", async () => {
    const shelf = new Shelf();
    const odd = Buffer.from(tar({ "caf__.txt": "x", "k.yaml": "k" }));
    odd.write("\xe9\xe8", 3, "latin1");
    odd.fill(" ", 148, 156);
    const sum = odd.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    odd.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const layers = [shelf.layer(gzipSync(odd))];
    for (const [run, operation] of Object.entries({ extract, extractAll })) {
      const first = await mkdtemp(join(dir, run));
      await expect(operation(layers, options, io(shelf, { dir: first }))).rejects.toThrow('"caf\\xe9\\xe8.txt"');
      const second = await mkdtemp(join(dir, run));
      const { blob } = await operation(layers, { ...options, ignore: "caf??.txt" }, io(shelf, { dir: second }));
      expect(await texts(blob.path)).toEqual({ "k.yaml": "k" });
    }
  });

  const rules: LayoutRules = { isExecutable: () => false, holdsOneFile: () => false, configs: [] };

  it("names the one file of each layer where the layout says that there is one, and overlays none", async () => {
    const shelf = new Shelf();
    const mediaType = "application/vnd.docker.image.rootfs.diff.tar.gzip";
    const layers = ["task", "pipeline"].map((kind, ordinal) =>
      shelf.layer(gzipSync(tar({ build: kind })), { mediaType, ordinal }),
    );
    const nameOf = ({ ordinal }: Layer): string => `${["task", "pipeline"][ordinal]}-build.yaml`;
    const known = { nameOf, rules: { ...rules, holdsOneFile: () => true } };
    const { blob } = await extractAll(layers, { ...options, ...known }, io(shelf));
    expect(await texts(blob.path)).toEqual({ "pipeline-build.yaml": "pipeline", "task-build.yaml": "task" });
    const two = [shelf.layer(gzipSync(tar({ a: "1", b: "2" })), { mediaType })];
    const other = await mkdtemp(join(dir, "two"));
    await expect(extractAll(two, { ...options, ...known }, io(shelf, { dir: other }))).rejects.toThrow("holds 2 files");
  });

  it("keeps what the layout says of a raw layer's mode, and adds the files of its config", async () => {
    const shelf = new Shelf();
    const raw = shelf.layer("run", { title: "run.sh" });
    const config = { ...shelf.layer('{"a":1}'), ordinal: -1 };
    const known = {
      ...rules,
      isExecutable: () => true,
      configs: [{ config, filesOf: (bytes: Buffer) => ({ Kitfile: `from ${bytes.toString()}` }) }],
    };
    const { blob } = await extractAll([raw], { ...options, rules: known }, io(shelf));
    const files = await filesIn(blob.path);
    expect(files.get("run.sh")?.mode).toBe(0o755);
    expect(files.get("Kitfile")).toMatchObject({ mode: 0o644, content: Buffer.from('from {"a":1}') });
    const bad = { ...known, configs: [{ config, filesOf: () => JSON.parse("{") as never }] };
    const other = await mkdtemp(join(dir, "bad"));
    await expect(extractAll([raw], { ...options, rules: bad }, io(shelf, { dir: other }))).rejects.toMatchObject({
      code: "ManifestInvalid",
    });
  });

  it("names the manifests where layers of several conflict", async () => {
    const shelf = new Shelf();
    const arm = { os: "linux", architecture: "arm64" };
    const nodes = [node("one"), node("two", { descriptor: { ...node("two").descriptor, platform: arm } })];
    const layers = nodes.map((owner, i) => shelf.layer(`${i}`, { title: "same.txt", node: owner }));
    const message = await extractAll(layers, options, io(shelf)).then(String, String);
    expect(message).toContain(`layer 0 (${layers[0]!.descriptor.digest}) of manifest ${nodes[0]!.descriptor.digest}`);
    expect(message).toContain(`of manifest ${nodes[1]!.descriptor.digest} (linux/arm64)`);
  });

  it("refuses two directories of one name", async () => {
    const shelf = new Shelf();
    const layers = [shelf.layer("a", { title: "d" }), shelf.layer("b", { title: "d", ordinal: 1 })];
    await expect(extractAll(layers, { ...options, layout: "LayerPerDir" }, io(shelf))).rejects.toMatchObject({
      code: "PathConflict",
    });
  });

  it.each(["../out", "/etc/passwd", "a/../../b"])("refuses the title %s", async (title) => {
    const shelf = new Shelf();
    await expect(extractAll([shelf.layer("a", { title })], options, io(shelf))).rejects.toMatchObject({
      code: "InvalidTemplate",
    });
    expect((await readdir(dir)).every((name) => /^[a-z]+-\d+/.test(name) || name === "artifact.tar.gz")).toBe(true);
  });

  it("lays image layers over each other, and obeys whiteouts only there", async () => {
    const shelf = new Shelf();
    const mediaType = "application/vnd.oci.image.layer.v1.tar+gzip";
    const layers = [
      shelf.layer(gzipSync(tar({ "keep.txt": "1", "gone.txt": "1" })), { mediaType }),
      shelf.layer(gzipSync(tar({ ".wh.gone.txt": "" })), { mediaType, ordinal: 1 }),
    ];
    expect(await texts((await extractAll(layers, options, io(shelf))).blob.path)).toEqual({ "keep.txt": "1" });
  });

  it("stops every download when one fails", async () => {
    const shelf = new Shelf();
    const good = shelf.layer("a", { title: "a" });
    const bad = shelf.layer("b", { title: "b", ordinal: 1 });
    shelf.contents.delete(bad.descriptor.digest);
    await expect(extractAll([good, bad], options, io(shelf))).rejects.toThrow("no sha256:");
  });
});

describe("ExtractAll of a layer that fails", () => {
  it("ends when the other layers have ended: the directory is somebody else's then", async () => {
    const shelf = new Shelf();
    const [broken, late, queued] = ["broken", "late", "queued"].map((content) => shelf.layer(content)) as [
      Layer,
      Layer,
      Layer,
    ];
    const ended: string[] = [];
    const fetcher: Fetcher = {
      fetch: async ({ digest }) => {
        if (digest === broken.descriptor.digest) throw new Error("the layer is gone");
        await setTimeout(100);
        return Readable.from(late.descriptor.digest === digest ? [tar({ "late.txt": "late" })] : [Buffer.from("x")], {
          objectMode: false,
        }).on("close", () => ended.push("closed"));
      },
    };
    await expect(extractAll([broken, late, queued], options, io(fetcher))).rejects.toThrow("the layer is gone");
    expect(ended).not.toEqual([]);
    const left = await readdir(dir);
    await rm(dir, { recursive: true });
    await mkdir(dir);
    await setTimeout(150);
    expect([await readdir(dir), left.length <= 2]).toEqual([[], true]);
  });
});

describe("Extract", () => {
  it("publishes a Flux artifact that needs no change byte for byte", async () => {
    const repository = fixture("flux/app");
    const layers = layersOf(await manifestNode(repository, "1.0.0"));
    const { blob } = await extract(layers, options, io(repository));
    expect(blob).toMatchObject({ verbatim: true, digest: layers[0]!.descriptor.digest });
  });

  it("gives the same revision for the same content however it was packed", async () => {
    const shelf = new Shelf();
    const content = { "a.yaml": "a: 1\n", "b.yaml": "b: 2\n" };
    const verbatim = await extract([shelf.layer(gzipSync(tar(content)))], options, io(shelf));
    const other = await mkdtemp(join(dir, "plain"));
    const rewritten = await extract([shelf.layer(tar(content))], options, io(shelf, { dir: other }));
    const reversed = await mkdtemp(join(dir, "reversed"));
    const unordered = await extract(
      [shelf.layer(gzipSync(tar(Object.fromEntries(Object.entries(content).toReversed()))))],
      options,
      io(shelf, { dir: reversed }),
    );
    expect([verbatim.blob.verbatim, rewritten.blob.verbatim, unordered.blob.verbatim]).toEqual([true, false, true]);
    expect(new Set([verbatim, rewritten, unordered].map(({ blob }) => blob.contentDigest)).size).toBe(1);
  });

  it("reads upstream once, also where it has to rewrite", async () => {
    const shelf = new Shelf();
    const layer = shelf.layer(gzipSync(tar({ "a.yaml": "a", "docs/b.md": "b" })));
    const { blob, skipped } = await extract([layer], { ...options, ignore: "/docs\n" }, io(shelf));
    expect(shelf.fetched).toBe(1);
    expect(blob.verbatim).toBe(false);
    expect(skipped.ignored).toBe(1);
    expect(await texts(blob.path)).toEqual({ "a.yaml": "a" });
  });

  it("copies a raw layer where nobody has said what to do, and says so", async () => {
    const shelf = new Shelf();
    const undecided = { ...options, copiesRaw: true };
    const layer = shelf.layer("a: 1\n", { mediaType: "application/yaml" });
    const copied = await extract([layer], undecided, io(shelf));
    expect(copied.operation).toBe("Copy");
    expect(await texts(copied.blob.path)).toEqual({ "app.yaml": "a: 1\n" });
    const scratch = [await mkdtemp(join(dir, "a")), await mkdtemp(join(dir, "b")), await mkdtemp(join(dir, "c"))];
    const archive = shelf.layer(gzipSync(tar({ "b.yaml": "b" })), { mediaType: "application/octet-stream" });
    const extracted = await extract([archive], undecided, io(shelf, { dir: scratch[0]! }));
    expect(extracted.operation).toBeUndefined();
    expect(await texts(extracted.blob.path)).toEqual({ "b.yaml": "b" });
    const broken = shelf.layer(gzipSync("hello"), { mediaType: "application/vnd.example.tar+gzip" });
    await expect(extract([broken], undecided, io(shelf, { dir: scratch[1]! }))).rejects.toMatchObject({
      code: "NotAnArchive",
    });
    const files = await extractTree([layer], undecided, io(shelf, { dir: scratch[2]! }));
    expect([files.operation, [...files.tree.entries.keys()]]).toEqual(["Copy", ["app.yaml"]]);
  });

  it("refuses a raw layer and names what to write", async () => {
    const shelf = new Shelf();
    await expect(extract([shelf.layer("just text")], options, io(shelf))).rejects.toMatchObject({
      code: "NotAnArchive",
      details: { suggestion: { layerSelector: { operation: "Copy" } } },
    });
  });

  it("refuses to publish nothing", async () => {
    const shelf = new Shelf();
    await expect(
      extract([shelf.layer(gzipSync(tar({ "a.yaml": "a" })))], { ...options, ignore: "*\n" }, io(shelf)),
    ).rejects.toMatchObject({ code: "EmptyResult" });
  });

  it("sees a gzip tar for what it is, however small the pieces it comes in", async () => {
    const shelf = new Shelf();
    const layer = shelf.layer(gzipSync(tar({ "a.yaml": "a" })));
    const bytes = shelf.contents.get(layer.descriptor.digest)!;
    const pieces: Fetcher = {
      fetch: () =>
        Promise.resolve(
          Readable.from(
            Array.from(bytes, (byte) => Buffer.from([byte])),
            { objectMode: false },
          ),
        ),
    };
    const { blob } = await extract([layer], options, io(pieces));
    expect(blob).toMatchObject({ verbatim: true, digest: layer.descriptor.digest });
  });

  it("reports the bytes that arrive", async () => {
    const shelf = new Shelf();
    const layer = shelf.layer(gzipSync(tar({ "a.yaml": "a" })));
    let bytes = 0;
    await extract([layer], options, io(shelf, { onBytes: (_, count) => (bytes += count) }));
    expect(bytes).toBe(layer.descriptor.size);
  });
});

describe("Copy", () => {
  it("publishes a chart byte for byte, under the layer's own digest", async () => {
    const repository = fixture("helm/chart");
    const chart = layersOf(await manifestNode(repository, "0.1.0")).find(({ descriptor }) =>
      descriptor.mediaType.includes("chart.content"),
    )!;
    const { blob } = await copy([chart], options, io(repository));
    expect(blob).toMatchObject({
      verbatim: true,
      digest: chart.descriptor.digest,
      contentDigest: chart.descriptor.digest,
    });
  });

  it.each([
    ["application/json", {}, undefined, "app.json"],
    ["application/vnd.example+yaml", {}, undefined, "app.yaml"],
    ["application/vnd.example.tar+gzip", {}, undefined, "app.bin"],
    ["application/json", { title: "dir/settings.json" }, undefined, "dir/settings.json"],
    ["application/json", { title: "x" }, "settings-{tag}{ext}", "settings-1.0.0.json"],
    ["application/json", { annotations: { "com.example/env": "qa" } }, "{annotation:com.example/env}.json", "qa.json"],
  ])("wraps a raw layer of type %s in an archive (%j, %s): %s", async (mediaType, more, filename, expected) => {
    const shelf = new Shelf();
    const { blob } = await copy(
      [shelf.layer("{}", { mediaType, ...more })],
      { ...options, ...(filename !== undefined && { filename }) },
      io(shelf),
    );
    expect(await texts(blob.path)).toEqual({ [expected]: "{}" });
  });

  it.each(["{title}", "{nonsense}", "/etc/{hex}", "../{hex}"])("refuses the template %s", async (filename) => {
    const shelf = new Shelf();
    await expect(copy([shelf.layer("{}")], { ...options, filename }, io(shelf))).rejects.toMatchObject({
      code: "InvalidTemplate",
    });
  });

  it("wraps a chart that is given a name", async () => {
    const shelf = new Shelf();
    const { blob } = await copy(
      [shelf.layer(gzipSync(tar({ "Chart.yaml": "x" })), { mediaType: "application/vnd.x.tar+gzip" })],
      { ...options, filename: "chart{ext}" },
      io(shelf),
    );
    expect([...(await filesIn(blob.path)).keys()]).toEqual(["chart.tar.gz"]);
  });
});

describe("every refusal", () => {
  type Case = readonly [
    string,
    Partial<OperationOptions>,
    (shelf: Shelf) => Layer[],
    "Copy" | "ExtractAll" | "Extract",
  ];
  const cases: Case[] = [
    [
      "a conflict",
      {},
      (shelf) => [shelf.layer("a", { title: "same" }), shelf.layer("b", { title: "same", ordinal: 1 })],
      "ExtractAll",
    ],
    [
      "a file where another layer has a directory",
      {},
      (shelf) => [shelf.layer("a", { title: "same" }), shelf.layer("b", { title: "same/b", ordinal: 1 })],
      "ExtractAll",
    ],
    ["a hostile title", {}, (shelf) => [shelf.layer("a", { title: "../x" })], "ExtractAll"],
    ["an empty variable", { filename: "{title}" }, (shelf) => [shelf.layer("a")], "Copy"],
    ["an unknown variable", { filename: "{name}" }, (shelf) => [shelf.layer("a")], "Copy"],
    [
      "two directories of one name",
      { layout: "LayerPerDir" },
      (shelf) => [
        shelf.layer("a", { title: "d", node: placed("amd64") }),
        shelf.layer("b", { title: "d", ordinal: 1, node: placed("arm64") }),
      ],
      "ExtractAll",
    ],
    ["a raw layer under Extract", {}, (shelf) => [shelf.layer("a")], "Extract"],
  ];
  const placed = (architecture: string): ManifestNode =>
    node(architecture, { descriptor: { ...node(architecture).descriptor, platform: { os: "linux", architecture } } });

  it.each(cases)("says what to write, and that works: %s", async (_, more, layersOn, name) => {
    const shelf = new Shelf();
    const layers = layersOn(shelf);
    const error: unknown = await operations[name](layers, { ...options, ...more }, io(shelf)).catch(
      (thrown: unknown) => thrown,
    );
    const { suggestion } = (error as CodedError).details as {
      suggestion: { layerSelector: Partial<OperationOptions> & { operation?: "Copy" } };
    };
    const { operation = name, ...rest } = suggestion.layerSelector;
    for (const [field, value] of Object.entries(suggestion.layerSelector)) {
      const shown = typeof value === "string" && !value.includes("{") ? value : JSON.stringify(value);
      expect((error as CodedError).message).toContain(`
layerSelector:
  ${field}: ${shown}`);
    }
    const scratch = await mkdtemp(join(dir, "again"));
    const { blob } = await operations[operation](layers, { ...options, ...more, ...rest }, io(shelf, { dir: scratch }));
    expect((await filesIn(blob.path)).size).toBeGreaterThan(0);
  });
});
