import type { Consumer, Naming, PageModel, PickedSpec } from "./model.ts";
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
      ...(spec.component && { component: spec.component }),
      ...(spec.indexSelector && { indexSelector: spec.indexSelector }),
      ...(spec.layerSelector && { layerSelector: spec.layerSelector }),
    },
  };
  return `${yamlLines(object, "").join("\n")}\n`;
}

/** What reads the artifact of the object with the same name, as YAML. */
export function consumerYaml(kind: Consumer, naming: Naming): string {
  return `${yamlLines(consumerObject(kind, naming), "").join("\n")}\n`;
}

/** A HelmRelease of the chart, or a Kustomization of all that lies in the artifact. */
export function consumerObject(kind: Consumer, { name, namespace, interval }: Naming): object {
  const source = { kind: "ExternalArtifact", name };
  const metadata = { name, ...(namespace !== "" && { namespace }) };
  return kind === "HelmRelease"
    ? { apiVersion: "helm.toolkit.fluxcd.io/v2", kind, metadata, spec: { interval, chartRef: source } }
    : {
        apiVersion: "kustomize.toolkit.fluxcd.io/v1",
        kind,
        metadata,
        spec: { interval, sourceRef: source, path: "./", prune: true },
      };
}

/** A command for a shell that applies these documents: nothing in it is expanded, and no line of them ends it. */
export function kubectlCommand(yaml: string): string {
  return `kubectl apply -f - <<'EOF'\n${yaml}EOF\n`;
}

/** Nested maps of plain values in block style. */
export function yamlLines(map: object, indent: string): string[] {
  return Object.entries(map).flatMap(([key, value]: [string, unknown]) => {
    const head = `${indent}${yamlScalar(key)}:`;
    return typeof value === "object" && value !== null
      ? Object.keys(value).length === 0
        ? `${head} {}`
        : [head].concat(yamlLines(value, `${indent}  `))
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

export const yamlScope: PageScope = {
  functions: [manifestYaml, consumerYaml, consumerObject, kubectlCommand, yamlLines, yamlScalar],
  offers: { manifestYaml, consumerYaml, kubectlCommand },
};
