import type { Annotations } from "../oci/types.ts";
import { compileGlob } from "./glob.ts";
import { remembered } from "./remembered.ts";

/** One annotation that a selector asks for. */
export interface AnnotationPattern {
  readonly key: string;
  readonly pattern: string;
  /** Undefined where there is no such annotation. */
  readonly matches: (offered: Annotations) => boolean | undefined;
}

/** So many patterns keep what they have found out: those of one selector and of the suggestions that are tried for it. */
const maxKept = 256;
const kept = new Map<string, AnnotationPattern>();

/** Suggestions repeat the user's patterns: none is matched twice on the same annotations. */
export function annotationPatterns(selector: Annotations | undefined): AnnotationPattern[] {
  return Object.entries(selector ?? {}).map(([key, pattern]) => {
    const name = JSON.stringify([key, pattern]);
    const known = kept.get(name) ?? createPattern(key, pattern);
    kept.delete(name);
    kept.set(name, known);
    if (kept.size > maxKept) kept.delete(kept.keys().next().value!);
    return known;
  });
}

function createPattern(key: string, pattern: string): AnnotationPattern {
  const matches = compileGlob(pattern);
  return {
    key,
    pattern,
    matches: remembered((offered: Annotations) => (Object.hasOwn(offered, key) ? matches(offered[key]!) : undefined)),
  };
}
