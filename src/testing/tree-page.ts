import { join } from "node:path";
import { expect } from "vitest";
import { runStrata } from "./command-io.ts";

/** Writes the page of an artifact as `strata tree --html` does, and gives its path. @param host the registry, of plain HTTP */
export async function writeTreePage(host: string, dir: string, reference: string): Promise<string> {
  const file = treePagePath(dir, reference);
  const written = `wrote ${file}\nopen it in a browser and pick: it shows the ArtifactRepository to apply\n`;
  expect(await runStrata(treePageArgs(host, file, reference))).toEqual({ code: 0, stdout: "", stderr: written });
  return file;
}

export function treePagePath(dir: string, reference: string): string {
  return join(dir, `${reference.replace(/\W/g, "-")}.html`);
}

export function treePageArgs(host: string, file: string, reference: string): string[] {
  return ["tree", `oci://${host}/${reference}`, "--insecure", "--html", file];
}
