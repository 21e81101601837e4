import { createHash } from "node:crypto";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { Parser } from "tar";
import { digestOf } from "./push.ts";

/** What `status.artifact` says. */
export interface PublishedArtifact {
  readonly url: string;
  readonly digest: string;
  readonly revision: string;
  readonly size: number;
  readonly path: string;
  readonly lastUpdateTime: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Path → sha256 of the content, in hexadecimal, for every file of a tree. */
export type Files = Readonly<Record<string, string>>;

/** Downloads an artifact as a Flux controller does: the digest must be the one the status states. */
export async function download(artifact: PublishedArtifact): Promise<Buffer> {
  const response = await fetch(artifact.url, { signal: AbortSignal.timeout(30_000) });
  if (!response.ok) throw new Error(`${artifact.url} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  if (digestOf(bytes) !== artifact.digest)
    throw new Error(`${artifact.url} is ${digestOf(bytes)}, its status says ${artifact.digest}`);
  return bytes;
}

/** The regular files of a gzip-compressed tar; anything that is neither file nor directory is an error. */
export async function filesOfTarball(bytes: Uint8Array): Promise<Files> {
  const files: Record<string, string> = {};
  const parser = new Parser({ strict: true });
  parser.on("entry", (entry) => {
    if (entry.type === "Directory") {
      entry.resume();
      return;
    }
    if (entry.type !== "File") {
      parser.abort(new Error(`${entry.path} is a ${entry.type}`));
      return;
    }
    const hash = createHash("sha256");
    entry.on("data", (chunk: Buffer) => hash.update(chunk));
    entry.on("end", () => {
      files[entry.path.replace(/^\.\//, "")] = hash.digest("hex");
    });
  });
  const ended = once(parser, "end");
  parser.end(Buffer.from(bytes));
  await ended;
  return sorted(files);
}

export async function filesOfDirectory(dir: string): Promise<Files> {
  const files: Record<string, string> = {};
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory()) continue;
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) throw new Error(`${path} is not a regular file`);
    files[relative(dir, path).split(sep).join("/")] = createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  }
  return sorted(files);
}

/** The lines that `sha256sum` writes. */
export function parseChecksums(text: string): Files {
  return sorted(
    Object.fromEntries([...text.matchAll(/^([0-9a-f]{64}) [ *](?:\.\/)?(.+)$/gm)].map(([, sum, path]) => [path, sum])),
  );
}

function sorted(files: Record<string, string>): Files {
  return Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
}
