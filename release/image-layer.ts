import { readFile } from "node:fs/promises";
import { Header } from "tar";

const block = 512;

/**
 * A tar of files and the directories above them, all root's, below `app/`. Names go by their bytes, so that the same files give the
 * same archive.
 * @param created seconds since 1970
 */
export async function archiveOf(files: Readonly<Record<string, string>>, created: number): Promise<Buffer> {
  const names = Object.keys(files).map((name) => `app/${name}`);
  const directories = new Set(names.flatMap((name) => parentsOf(name)));
  const parts: Buffer[] = [];
  for (const path of [...directories, ...names].toSorted()) {
    const source = files[path.slice("app/".length)];
    const content = source === undefined ? undefined : await readFile(source);
    parts.push(headerOf(path, content?.length, created));
    if (content !== undefined) parts.push(content, Buffer.alloc((block - (content.length % block)) % block));
  }
  return Buffer.concat([...parts, Buffer.alloc(2 * block)]);
}

function headerOf(path: string, size: number | undefined, created: number): Buffer {
  const header = new Header({
    path,
    type: size === undefined ? "Directory" : "File",
    mode: size === undefined ? 0o755 : path.endsWith(".js") && !path.includes("/chunks/") ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: size ?? 0,
    mtime: new Date(created * 1000),
  });
  const bytes = Buffer.alloc(block);
  if (header.encode(bytes)) throw new Error(`${path} is too long a name for an image`);
  return bytes;
}

/** `app/` and `app/chunks/` of `app/chunks/x.js`. */
function parentsOf(name: string): string[] {
  const parts = name.split("/").slice(0, -1);
  return parts.map((_, at) => `${parts.slice(0, at + 1).join("/")}/`);
}
