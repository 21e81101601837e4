import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = join(import.meta.dirname, "../..");

/** A program that docs/library.md shows, and what it prints. */
export interface LibraryExample {
  /** The heading that it stands under, and its number there. */
  readonly title: string;
  readonly code: string;
  readonly output: string;
}

export function libraryExamples(): readonly LibraryExample[] {
  const page = readFileSync(join(root, "docs/library.md"), "utf8");
  return page.split(/^## /m).flatMap((section) => {
    const heading = section.split("\n", 1)[0] ?? "";
    const shown = [...section.matchAll(/```ts\n([^]*?)```\n\n```text\n([^]*?)```/g)];
    return shown.map(([, code = "", output = ""], at) => ({ title: `${heading}, ${at + 1}`, code, output }));
  });
}

/** The same program on the sources instead of the package. */
export function inSources(code: string): string {
  return code.replace(
    /"strata\/(oci|registry)"/g,
    (_, name: string) => `"${pathToFileURL(join(root, `src/library/${name}.ts`)).href}"`,
  );
}
