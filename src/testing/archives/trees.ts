import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { defaultLimits } from "../../config.ts";
import { Budget } from "../../archive/budget.ts";
import { Tree } from "../../archive/tree.ts";
import type { Limits } from "../../oci/limits.ts";

/** A file's content; `null` a directory; a link by its target. */
export type TreeItem =
  | string
  | Buffer
  | null
  | { readonly symlink: string }
  | { readonly hardlink: string }
  | { readonly executable: string };

let trees = 0;

/** A tree whose bodies lie in one scratch file in `dir`. */
export function treeOf(dir: string, items: Readonly<Record<string, TreeItem>>): Tree {
  const tree = new Tree(defaultLimits.maxEntries);
  const file = join(dir, `bodies-${trees++}`);
  const bodies: Buffer[] = [];
  let offset = 0;
  for (const [path, item] of Object.entries(items)) {
    if (item === null) {
      tree.putDirectory(path);
    } else if (typeof item === "object" && "symlink" in item) {
      tree.put(path, { kind: "symlink", target: item.symlink });
    } else if (typeof item === "object" && "hardlink" in item) {
      tree.put(path, { kind: "hardlink", target: item.hardlink });
    } else {
      const executable = typeof item === "object" && "executable" in item;
      const body = Buffer.from(executable ? item.executable : item);
      tree.put(path, { kind: "file", executable, body: { file, offset, size: body.length } });
      bodies.push(body);
      offset += body.length;
    }
  }
  writeFileSync(file, Buffer.concat(bodies));
  return tree;
}

/** A budget of the default limits but for some. */
export function budgetOf(limits: Partial<Limits> = {}, compressedBytes = 1000): Budget {
  return new Budget({ ...defaultLimits, ...limits }, compressedBytes, { expandedBytes: 0 });
}

/** `bytes` in pieces of `size`. */
export async function* inPieces(bytes: Buffer, size = Math.max(1, bytes.length)): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
