import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly artifactType?: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Of a small document. */
export async function readJson<T>(layout: string, digest: string): Promise<T> {
  const bytes = await readFile(blobPath(layout, digest));
  if (sha256(bytes) !== digest) throw new Error(`${digest} in ${layout} is not what its name says`);
  return JSON.parse(bytes.toString("utf8")) as T;
}

export async function copyBlob(from: string, to: string, digest: string): Promise<void> {
  await mkdir(dirname(blobPath(to, digest)), { recursive: true });
  await copyFile(blobPath(from, digest), blobPath(to, digest));
}

export async function writeBlob(layout: string, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const digest = sha256(bytes);
  await mkdir(dirname(blobPath(layout, digest)), { recursive: true });
  await writeFile(blobPath(layout, digest), bytes);
  return { mediaType, digest, size: bytes.length };
}

function blobPath(layout: string, digest: string): string {
  const [, hex] = /^sha256:([0-9a-f]{64})$/.exec(digest) ?? [];
  if (hex === undefined) throw new Error(`"${digest}" is not a digest`);
  return join(layout, "blobs/sha256", hex);
}

export function sha256(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

export function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
