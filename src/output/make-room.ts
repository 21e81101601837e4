import type { Dirent } from "node:fs";
import { readdir, realpath, rm } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import type { Entry } from "../archive/tree.ts";
import { CodedError } from "../errors.ts";

/** What a build has at a path below its root. */
export type KindAt = (path: string) => Entry["kind"] | undefined;

const maxShown = 3;

/**
 * Makes sure that an existing directory will hold what is built and nothing else. Without `force` one that holds anything else is
 * refused; with it, that is removed. Nothing outside of `root` is touched, and no symlink followed.
 *
 * @throws StorageFailed
 */
export async function makeRoom(root: string, has: KindAt, force: boolean): Promise<void> {
  const others = await othersIn(root, "", has);
  if (force) {
    for (const { path } of others) await rm(join(root, path), { recursive: true, force: true });
    return;
  }
  // What is of another kind than is written there is told by who writes it.
  const foreign = others.filter(({ path }) => has(path) === undefined).map(({ path }) => path);
  if (foreign.length === 0) return;
  const rest = foreign.length > maxShown ? ` and ${foreign.length - maxShown} more` : "";
  throw new CodedError(
    "StorageFailed",
    `${root} holds what is not part of the build: ${foreign.slice(0, maxShown).join(", ")}${rest}; write to a new directory, or pass --force to remove everything else from this one`,
  );
}

/** The topmost paths that the build has not, or has as something else. */
async function othersIn(root: string, below: string, has: KindAt): Promise<{ readonly path: string }[]> {
  const others: { path: string }[] = [];
  const entries = await readdir(join(root, below), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (has(path) !== kindOf(entry)) others.push({ path });
    else if (entry.isDirectory()) others.push(...(await othersIn(root, path, has)));
  }
  return others;
}

function kindOf(entry: Dirent): "file" | "dir" | "other" {
  if (entry.isDirectory()) return "dir";
  return entry.isFile() ? "file" : "other";
}

/**
 * Refuses to clear a directory that nobody means: a whole file system, a home, one that this process stands in or below, one that
 * is a Git repository, and one that holds what is read.
 *
 * @param inputs paths that the build reads
 * @throws StorageFailed
 */
export async function assertMayClear(
  path: string,
  { home, inputs }: { readonly home: string; readonly inputs: readonly string[] },
): Promise<void> {
  const root = await real(path);
  const fail = (why: string): CodedError =>
    new CodedError("StorageFailed", `${path} is not cleared with --force: ${why}; write to another directory`);
  if (dirname(root) === root || root === (await real(home))) throw fail("it is a home or a whole file system");
  const cwd = await real(".");
  if (root !== cwd && isWithin(cwd, root)) throw fail("the current directory is in it");
  const entries = await readdir(root).catch((): string[] => []);
  if (entries.includes(".git")) throw fail("it is a Git repository");
  for (const input of inputs)
    if (isWithin(await real(input), root)) throw fail(`it holds ${input}, which is read for the build`);
}

function isWithin(path: string, root: string): boolean {
  const below = relative(root, path);
  return below === "" || (below !== ".." && !below.startsWith(`..${sep}`));
}

async function real(path: string): Promise<string> {
  return await realpath(path).catch(() => resolve(path));
}
