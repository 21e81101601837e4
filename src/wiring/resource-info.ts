import type { RawObject } from "../pipeline/object.ts";
import type { ResourceInfo } from "../runtime/metrics.ts";

/** What the metrics show of an object. */
export function resourceInfo({ metadata, spec, status }: RawObject): ResourceInfo {
  const { suspend, url } = (spec ?? {}) as { readonly suspend?: boolean; readonly url?: string };
  const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";
  return {
    key: metadata,
    ready,
    stalled: status?.conditions?.some(({ type, status: is }) => type === "Stalled" && is === "True") ?? false,
    suspended: suspend === true,
    url: url ?? "",
    revision: status?.artifact?.revision ?? "",
  };
}
