import type { Annotations } from "../oci/types.ts";

/** The first annotations, in order: there may be a hundred thousand. */
export function firstEntries(annotations: Annotations, max: number): [key: string, value: string][] {
  const entries: [string, string][] = [];
  for (const key in annotations) {
    if (entries.length >= max) break;
    entries.push([key, annotations[key]!]);
  }
  return entries;
}
