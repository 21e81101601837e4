import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { CodedError } from "../errors.ts";
import { isDigest, matchesDigest, Verifier } from "../oci/digest.ts";
import { ociIndexType } from "../oci/media-types.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { givenUp } from "./errors.ts";
import { blobPath, sizeOf, writeAtomically } from "./layout-file.ts";
import { type Layout, readIndex, refNameKey } from "./layout-index.ts";
import { descriptorJson } from "./referrer-entry.ts";

/** Writes to one image layout; changes of its index.json are made one after the other. */
export class LayoutWriter {
  readonly #layout: Layout;
  #last: Promise<void> = Promise.resolve();

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** @throws DigestMismatch, SizeMismatch, StorageFailed */
  async writeBlob(descriptor: Descriptor, content: Readable, signal: AbortSignal): Promise<void> {
    try {
      await writeAtomically(blobPath(this.#layout.dir, descriptor.digest), checked(content, descriptor, signal));
    } finally {
      content.destroy();
    }
  }

  /** @throws DigestMismatch, StorageFailed */
  async writeManifest(descriptor: Descriptor, bytes: Uint8Array, reference: string): Promise<void> {
    const { mediaType, digest, size } = descriptor;
    if (bytes.length !== size || !matchesDigest(bytes, digest))
      throw new CodedError("DigestMismatch", `${this.#layout.name}: the manifest is not ${digest}`);
    await writeAtomically(blobPath(this.#layout.dir, digest), [bytes]);
    await this.#change((entries) => {
      if (isDigest(reference))
        return entries.some((entry) => entry.digest === digest) ? entries : [...entries, { mediaType, digest, size }];
      const others = entries.filter(
        (entry) => entry.annotations?.[refNameKey] !== reference && !(entry.digest === digest && isNameless(entry)),
      );
      return [...others, { mediaType, digest, size, annotations: { [refNameKey]: reference } }];
    });
  }

  async deleteManifest(digest: Digest): Promise<void> {
    await this.#change((entries) => entries.filter((entry) => entry.digest !== digest));
    await rm(blobPath(this.#layout.dir, digest), { force: true });
  }

  async #change(edit: (entries: readonly Descriptor[]) => readonly Descriptor[]): Promise<void> {
    const { dir } = this.#layout;
    const turn = this.#last.then(async () => {
      const fresh = (await sizeOf(join(dir, "oci-layout"))) === undefined;
      const manifests = edit(fresh ? [] : (await readIndex(this.#layout)).manifests).map(descriptorJson);
      await writeAtomically(join(dir, "index.json"), [
        Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: ociIndexType, manifests })),
      ]);
      // Last: a directory is a layout only when the rest of it is there.
      if (fresh) await writeAtomically(join(dir, "oci-layout"), [Buffer.from('{"imageLayoutVersion":"1.0.0"}')]);
    });
    this.#last = turn.catch(() => undefined);
    await turn;
  }
}

const isNameless = (entry: Descriptor): boolean => entry.annotations?.[refNameKey] === undefined;

async function* checked(content: Readable, descriptor: Descriptor, signal: AbortSignal): AsyncGenerator<Buffer> {
  const verifier = new Verifier(descriptor);
  for await (const chunk of content as AsyncIterable<Buffer>) {
    if (signal.aborted) throw givenUp(signal);
    verifier.update(chunk);
    yield chunk;
  }
  verifier.finish();
}
