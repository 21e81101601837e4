import type { Descriptor } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { hasFilters } from "./choice.ts";
import { compileGlob } from "./glob.ts";
import { annotationClause } from "./manifest-matcher.ts";
import type { LayerSelector } from "./selection.ts";

/** The filters of spec.layerSelector, ready to be asked; an answer is a clause saying why not, undefined means yes. */
export interface LayerMatcher {
  /** False where the selector says nothing about what layers are. */
  readonly hasFilters: boolean;
  readonly reject: (descriptor: Descriptor) => string | undefined;
}

export function layerMatcher(selector: LayerSelector = {}): LayerMatcher {
  const { mediaType } = selector;
  const matchesType = mediaType === undefined ? undefined : compileGlob(mediaType);
  const annotations = Object.entries(selector.annotations ?? {}).map(([key, pattern]) => ({
    key,
    pattern,
    matches: compileGlob(pattern),
  }));
  return {
    hasFilters: hasFilters(selector),
    reject: (descriptor) => {
      if (matchesType?.(descriptor.mediaType) === false)
        return `its media type ${printable(descriptor.mediaType)} is not ${printable(mediaType ?? "")}`;
      const offered = descriptor.annotations ?? {};
      const wrong = annotations.find(({ key, matches }) => !Object.hasOwn(offered, key) || !matches(offered[key]!));
      return wrong && annotationClause(wrong.key, wrong.pattern, offered);
    },
  };
}
