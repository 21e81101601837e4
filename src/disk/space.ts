import { statfs } from "node:fs/promises";

/** The size of the volume that holds `path`, and what an unprivileged process may still write, in bytes. */
export async function spaceOf(path: string): Promise<{ readonly size: number; readonly free: number }> {
  const { bsize, blocks, bavail } = await statfs(path);
  return { size: bsize * blocks, free: bsize * bavail };
}
