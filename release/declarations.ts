import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { importsOf } from "../src/testing/architecture/imports.ts";

/**
 * Copies the declarations that `entries` lead to, and no others: what is behind them is nobody's business. Each names the
 * others by the files that are there.
 * @param from what tsc has written for the sources
 * @throws Error where one of them needs the types of a package, which nobody would have
 */
export async function copyDeclarations(from: string, to: string, entries: readonly string[]): Promise<void> {
  const wanted = [...entries];
  const copied = new Set<string>();
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    if (copied.has(name)) continue;
    copied.add(name);
    const text = await readFile(join(from, name), "utf8");
    const { own, foreign } = specifiersOf(name, text);
    if (foreign.length > 0) throw new Error(`${name} shows types of ${foreign.join(", ")}: keep them inside`);
    wanted.push(...own.map((specifier) => declarationOf(posix.join(posix.dirname(name), specifier))));
    await mkdir(dirname(join(to, name)), { recursive: true });
    await writeFile(join(to, name), inJavaScript(text));
  }
}

function specifiersOf(name: string, text: string): { own: string[]; foreign: string[] } {
  const all = [...new Set(importsOf(name, text).map(({ specifier }) => specifier))];
  const isOwn = (specifier: string): boolean => specifier.startsWith(".");
  return {
    own: all.filter(isOwn),
    foreign: all.filter((specifier) => !isOwn(specifier) && !specifier.startsWith("node:")),
  };
}

const declarationOf = (source: string): string => source.replace(/\.ts$/, ".d.ts");

/** tsc leaves the sources' suffixes, which only a few readers take. */
const inJavaScript = (text: string): string => text.replace(/(["'])(\.{1,2}\/[^"'\n]+)\.ts\1/g, "$1$2.js$1");
