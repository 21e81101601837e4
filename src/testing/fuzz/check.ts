import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { decompress } from "../../archive/decompress.ts";
import type { Tree } from "../../archive/tree.ts";
import { defaultLimits } from "../../config.ts";
import { CodedError, codeOf } from "../../errors.ts";
import { sha256Of } from "../../oci/digest.ts";
import type { Layer } from "../../oci/types.ts";
import type { OperationIO, OperationOptions } from "../../operation/operation.ts";
import { operations, treeOperations } from "../../operation/table.ts";
import type { Container } from "./make-case.ts";
import { readWithNodeTar, type GoReader, type Seen } from "./readers.ts";
import { differenceOf, unpacked, type View } from "./views.ts";

const options: OperationOptions = {
  layout: "Merge",
  onConflict: "Fail",
  symlinks: "Skip",
  // Patterns of one's own, so that none of the default exclusions holds.
  ignore: "none-of-these-names\n",
  tag: "1",
  repository: "fuzz",
};

export interface Checker {
  /** Scratch space. */
  readonly dir: string;
  readonly go: GoReader | undefined;
}

/** What is wrong with how Strata takes these bytes; undefined for nothing. */
export async function check(container: Container, bytes: Buffer, checker: Checker): Promise<string | undefined> {
  const dir = await mkdtemp(join(checker.dir, "case-"));
  try {
    return await new Case(container, bytes, { ...checker, dir }).run();
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

class Case {
  readonly #container: Container;
  readonly #bytes: Buffer;
  readonly #checker: Checker;
  readonly #layer: Layer;

  constructor(container: Container, bytes: Buffer, checker: Checker) {
    this.#container = container;
    this.#bytes = bytes;
    this.#checker = checker;
    this.#layer = layerOf(bytes);
  }

  async run(): Promise<string | undefined> {
    const tree = await this.#attempt(
      async (io) => await filesOf((await treeOperations.Extract([this.#layer], options, io)).tree),
    );
    const all = await this.#attempt(
      async (io) => await filesOf((await treeOperations.ExtractAll([this.#layer], options, io)).tree),
    );
    const published = await this.#attempt(async (io) => {
      const { blob } = await operations.Extract([this.#layer], options, io);
      return { bytes: await readFile(blob.path), isVerbatim: blob.verbatim };
    });
    for (const result of [tree, all, published]) if ("crash" in result) return `it crashes: ${result.crash}`;
    if (!("value" in tree) || !("value" in published) || !("value" in all)) return this.#refusal(tree, published, all);
    const between = differenceOf(tree.value, all.value);
    if (between !== undefined) return `Extract and ExtractAll differ: ${between}`;
    return (
      (await this.#comparePublished(published.value.bytes, tree.value)) ??
      (await this.#compareInput(tree.value, published.value.isVerbatim))
    );
  }

  /** One of them refuses what another takes. */
  #refusal(tree: Attempt<Files>, published: Attempt<unknown>, all: Attempt<Files>): string | undefined {
    // What is not an archive at all is a file to ExtractAll alone.
    const isFile = "value" in all && all.value.size === 1 && all.value.has("fuzz.bin");
    const taken = [tree, published, all].map((result) => "value" in result && !(result === all && isFile));
    return new Set(taken).size === 1 ? undefined : `files, artifact and ExtractAll are taken: ${taken.join(", ")}`;
  }

  async #attempt<T>(work: (io: OperationIO) => Promise<T>): Promise<Attempt<T>> {
    const dir = await mkdtemp(join(this.#checker.dir, "run-"));
    const fetcher = { fetch: () => Promise.resolve(Readable.from([this.#bytes], { objectMode: false })) };
    const signal = AbortSignal.timeout(20_000);
    try {
      return { value: await work({ fetcher, dir, limits: defaultLimits, signal }) };
    } catch (error) {
      const isExpected =
        error instanceof CodedError && !["Internal", "Aborted", "StorageFailed"].includes(codeOf(error));
      return isExpected ? { refused: error.message } : { crash: String(error) };
    }
  }

  /** Whoever reads the artifact must see what Strata has seen. */
  async #comparePublished(artifact: Buffer, files: ReadonlyMap<string, string>): Promise<string | undefined> {
    const readers: readonly [string, Seen | undefined][] = [
      ["node-tar", await readWithNodeTar(artifact)],
      ["Go", await this.#checker.go?.read("gzip", artifact)],
    ];
    for (const [reader, seen] of readers) {
      if (seen === undefined) continue;
      if ("error" in seen) return `${reader} cannot read the artifact: ${seen.error}`;
      const odd = seen.entries.find(({ type }) => type !== "file" && type !== "dir");
      if (odd !== undefined) return `${reader} finds a ${odd.type} in the artifact: ${JSON.stringify(odd.name)}`;
      const difference = compare(unpacked(seen.entries), files);
      if (difference !== undefined) return `${reader} reads the artifact differently: ${difference}`;
    }
    return undefined;
  }

  /** Where Go takes what upstream has, it must see the same in it. */
  async #compareInput(files: ReadonlyMap<string, string>, isVerbatim: boolean): Promise<string | undefined> {
    const seen = await this.#seenByGo();
    if (seen === undefined) return undefined;
    if ("error" in seen) return isVerbatim ? `Go cannot read what is published as it came: ${seen.error}` : undefined;
    const view = unpacked(seen.entries);
    if ("refused" in view) return undefined;
    const difference = differenceOf(view.files, files);
    return difference === undefined ? undefined : `Go reads the layer differently: ${difference}`;
  }

  async #seenByGo(): Promise<Seen | undefined> {
    const { go } = this.#checker;
    if (this.#container !== "zstd") return await go?.read(this.#container, this.#bytes);
    // Go's library has no zstd, and Node's function for it takes the first frame alone.
    const pieces: Buffer[] = [];
    const source = Readable.from([this.#bytes], { objectMode: false }) as AsyncIterable<Buffer>;
    await decompress("zstd", source, (chunk) => void pieces.push(chunk));
    return await go?.read("tar", Buffer.concat(pieces));
  }
}

type Files = ReadonlyMap<string, string>;
type Attempt<T> = { readonly value: T } | { readonly refused: string } | { readonly crash: string };

function compare(view: View, files: ReadonlyMap<string, string>): string | undefined {
  return "refused" in view ? `it has ${view.refused}` : differenceOf(view.files, files);
}

async function filesOf(tree: Tree): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const [path, entry] of tree.entries) {
    if (entry.kind !== "file") continue;
    const { file, offset, size } = entry.body;
    const body = (await readFile(file)).subarray(offset, offset + size);
    files.set(path, `${createHash("sha256").update(body).digest("hex")}${entry.executable ? "*" : ""}`);
  }
  return files;
}

function layerOf(bytes: Buffer): Layer {
  const config = { mediaType: "application/vnd.example.config.v1+json", digest: sha256Of("{}"), size: 2 };
  const descriptor = { mediaType: "application/vnd.example.archive", digest: sha256Of(bytes), size: bytes.length };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  return {
    descriptor,
    ordinal: 0,
    node: {
      descriptor: { mediaType, digest: sha256Of("manifest"), size: 1 },
      manifest: { kind: "manifest", mediaType, config, layers: [descriptor] },
      path: [],
      effectiveType: config.mediaType,
      effectiveAnnotations: {},
    },
  };
}
