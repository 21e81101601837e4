import { basename } from "node:path";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { parseObject } from "../../pipeline/spec.ts";
import type { Reference } from "../../oci/reference.ts";
import { UsageError } from "../command.ts";

/** Options of `strata build` that stand for fields of the spec. */
export const selectionOptions = {
  platform: { type: "string" },
  "artifact-type": { type: "string" },
  "manifest-annotation": { type: "string", multiple: true },
  match: { type: "string" },
  "media-type": { type: "string" },
  annotation: { type: "string", multiple: true },
  offset: { type: "string" },
  operation: { type: "string" },
  layout: { type: "string" },
  filename: { type: "string" },
  "on-conflict": { type: "string" },
  symlinks: { type: "string" },
  ignore: { type: "string", multiple: true },
} as const;

/** `--offset -1` is what people write, and to parseArgs -1 is another option. */
export function withNegativeOffset(args: readonly string[]): string[] {
  return args.flatMap((arg, at) => {
    if (arg === "--offset" && /^-\d+$/.test(args[at + 1] ?? "")) return [`${arg}=${args[at + 1]}`];
    return args[at - 1] === "--offset" && /^-\d+$/.test(arg) ? [] : [arg];
  });
}

type Values = {
  readonly [K in keyof typeof selectionOptions]?: (typeof selectionOptions)[K] extends { multiple: true }
    ? string[] | undefined
    : string | undefined;
};

/** Which of the selection flags were given. */
export function selectionFlags(values: Values): string[] {
  return Object.keys(selectionOptions).filter((name) => values[name as keyof Values] !== undefined);
}

/**
 * The ArtifactRepository that the flags amount to; it is checked like any other.
 * @throws UsageError for a flag that is no number or no KEY=VALUE; InvalidSpec for what the schema refuses
 */
export function specFromFlags(reference: Reference, values: Values, insecure: boolean): ArtifactRepository {
  const { tag, digest } = reference;
  // A layout on disk has no URL that the schema takes; only its name is used.
  const url =
    reference.kind === "registry"
      ? `oci://${reference.registry}/${reference.repository}`
      : `oci://layout.local/${layoutName(reference.path)}`;
  const spec = compact({
    url,
    interval: "1h",
    insecure: insecure || undefined,
    ref: tag === undefined && digest === undefined ? undefined : compact({ tag, digest }),
    ignore: values.ignore?.join("\n"),
    indexSelector: compact({
      platform: values.platform,
      artifactType: values["artifact-type"],
      annotations: pairs("manifest-annotation", values["manifest-annotation"]),
      match: values.match,
    }),
    layerSelector: compact({
      mediaType: values["media-type"],
      annotations: pairs("annotation", values.annotation),
      offset: integer("offset", values.offset),
      operation: values.operation,
      layout: values.layout,
      filename: values.filename,
      onConflict: values["on-conflict"],
      symlinks: values.symlinks,
    }),
  });
  return parseObject({ apiVersion: API_VERSION, kind: KIND, metadata: { name: "build", namespace: "default" }, spec });
}

function layoutName(path: string): string {
  return (
    basename(path)
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "") || "layout"
  );
}

/** Without undefined values; undefined where nothing is left. */
function compact(object: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const kept = Object.entries(object).filter(([, value]) => value !== undefined);
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}

function pairs(flag: string, values: readonly string[] | undefined): Record<string, string> | undefined {
  if (values === undefined) return undefined;
  return Object.fromEntries(
    values.map((value) => {
      const at = value.indexOf("=");
      if (at < 1) throw new UsageError(`--${flag} is "${value}"; write KEY=VALUE, where VALUE may be a glob`);
      return [value.slice(0, at), value.slice(at + 1)];
    }),
  );
}

function integer(flag: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (!/^-?\d{1,6}$/.test(value))
    throw new UsageError(`--${flag} is "${value}"; write a whole number, such as 0 or -1`);
  return Number(value);
}
