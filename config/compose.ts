import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const kustomizationFile = "kustomization.yaml";
/** What `compose` understands. config/default uses nothing else, so that the binary is not needed to build it. */
const understood = new Set(["apiVersion", "kind", "resources"]);

/**
 * The files that the kustomization in `directory` names, depth first in the order written, as kustomize would emit them.
 * @throws Error for a kustomization that needs more than listing resources
 */
export function composedFiles(directory: string): string[] {
  const kustomization = parse(readFileSync(join(directory, kustomizationFile), "utf8")) as Record<string, unknown>;
  const foreign = Object.keys(kustomization).filter((key) => !understood.has(key));
  if (foreign.length > 0)
    throw new Error(`${join(directory, kustomizationFile)}: only kustomize can apply ${foreign.join(", ")}`);
  const resources = kustomization["resources"] as string[];
  return resources.flatMap((resource) => {
    const path = join(directory, resource);
    return resource.endsWith(".yaml") ? [path] : composedFiles(path);
  });
}

/** The files of `composedFiles` as one multi-document YAML text. */
export function compose(directory: string): string {
  return composedFiles(directory)
    .map((file) => `---\n${readFileSync(file, "utf8").trim()}\n`)
    .join("");
}
