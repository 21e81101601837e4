import type { Naming, PageModel, PickedSpec } from "./model.ts";
import type { PageScope } from "./page-scope.ts";

// All functions of this file run in the page, too: they use nothing from elsewhere.

/** The whole ArtifactRepository, as YAML. */
export function manifestYaml(
  { url, insecure }: Pick<PageModel, "url" | "insecure">,
  { name, namespace, interval }: Naming,
  spec: PickedSpec,
): string {
  const object = {
    apiVersion: "source.strata.dev/v1beta1",
    kind: "ArtifactRepository",
    metadata: { name, ...(namespace !== "" && { namespace }) },
    spec: {
      url,
      ...(insecure && { insecure }),
      interval,
      ...(Object.keys(spec.ref).length > 0 && { ref: spec.ref }),
      ...(spec.indexSelector && { indexSelector: spec.indexSelector }),
      ...(spec.layerSelector && { layerSelector: spec.layerSelector }),
    },
  };
  return `${yamlLines(object, "").join("\n")}\n`;
}

/** Nested maps of plain values in block style. */
export function yamlLines(map: object, indent: string): string[] {
  return Object.entries(map).flatMap(([key, value]: [string, unknown]) => {
    const head = `${indent}${yamlScalar(key)}:`;
    return typeof value === "object" && value !== null
      ? [head].concat(yamlLines(value, `${indent}  `))
      : `${head} ${typeof value === "string" ? yamlScalar(value) : String(value)}`;
  });
}

/** Quoted unless it can only be read as this string; what has no picture is escaped. */
export function yamlScalar(text: string): string {
  const isPlain =
    /^[a-zA-Z][\w./+-]*(?::[\w./+-]+)*$/.test(text) && !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  if (isPlain || /^\d+(?:ms|[smh])$/.test(text)) return text;
  return JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (char) => `\\U${char.codePointAt(0)!.toString(16).padStart(8, "0")}`,
  );
}

export const yamlScope: PageScope = { functions: [manifestYaml, yamlLines, yamlScalar], offers: { manifestYaml } };
