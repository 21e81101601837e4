import type { RawObject } from "../pipeline/object.ts";
import type { ResourceInfo } from "../runtime/object-series.ts";

/** What the metrics show of an object. */
export function resourceInfo({ metadata, spec, status }: RawObject): ResourceInfo {
  const { suspend = false, url = "" } = (spec ?? {}) as { readonly suspend?: boolean; readonly url?: string };
  const is = (condition: string): "True" | "False" | "Unknown" | undefined =>
    status?.conditions?.find(({ type }) => type === condition)?.status;
  return {
    key: metadata,
    ready: is("Ready") ?? "Unknown",
    stalled: is("Stalled") === "True",
    suspended: suspend,
    url,
    revision: status?.artifact?.revision ?? "",
  };
}
