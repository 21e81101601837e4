import { basename } from "node:path";
import { API_VERSION, KIND } from "../../../api/v1beta1/constants.ts";
import type { ArtifactRepository } from "../../../api/v1beta1/artifact-repository.ts";
import { cliDefaults } from "../../config.ts";
import { parseObject } from "../../pipeline/spec.ts";
import type { Reference } from "../../oci/reference.ts";
import { CodedError } from "../../errors.ts";
import { UsageError } from "../command.ts";
import { inFlags } from "../suggested-flags.ts";
import { parseIdentity } from "./identity-flag.ts";
import { givenFlags, type SelectionKind, type SelectionValues } from "./selection-flags.ts";

/**
 * The ArtifactRepository that the flags amount to; it is checked like any other.
 * @throws UsageError for a flag that is not a number or not KEY=VALUE, and for what the schema refuses
 */
export function specFromFlags(reference: Reference, values: SelectionValues, insecure: boolean): ArtifactRepository {
  const { tag, digest } = reference;
  const ref = tag === undefined && digest === undefined ? undefined : compact({ tag, digest });
  // A layout on disk has no URL that the schema takes; only its name is used.
  const url =
    reference.kind === "registry"
      ? `oci://${reference.registry}/${reference.repository}`
      : `oci://layout.local/${layoutName(reference.path)}`;
  const spec = compact({
    url,
    interval: "1h",
    insecure: insecure || undefined,
    ref,
  }) as Record<string, unknown>;
  for (const { name, row, value } of givenFlags(values)) {
    const [field = "", selector] = row.field.split(".").toReversed();
    const place = selector === undefined ? spec : ((spec[selector] ??= {}) as Record<string, unknown>);
    place[field] = fieldOf(name, row.kind, value);
  }
  return checked(spec);
}

/** @throws UsageError for what the schema refuses */
function checked(spec: object): ArtifactRepository {
  try {
    return parseObject({
      apiVersion: API_VERSION,
      kind: KIND,
      metadata: { name: "build", namespace: cliDefaults.namespace },
      spec,
    });
  } catch (error) {
    const told = inFlags(error);
    throw told instanceof CodedError ? new UsageError(told.message, told) : told;
  }
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

/** A flag's value as the spec has it. @throws UsageError */
function fieldOf(name: string, kind: SelectionKind, value: string | string[]): unknown {
  if (kind === "identity") return parseIdentity(name, String(value));
  if (kind === "identities") return [value].flat().map((text) => parseIdentity(name, text));
  if (kind === "pairs") return Object.fromEntries([value].flat().map((pair) => splitPair(name, pair)));
  if (kind === "lines") return [value].flat().join("\n");
  if (kind === "text") return value;
  if (!/^-?\d{1,6}$/.test(String(value)))
    throw new UsageError(`--${name} is "${String(value)}"; write a whole number, such as 0 or -1`);
  return Number(value);
}

function splitPair(name: string, pair: string): [string, string] {
  const at = pair.indexOf("=");
  if (at < 1) throw new UsageError(`--${name} is "${pair}"; write KEY=VALUE, where VALUE may be a glob`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}
