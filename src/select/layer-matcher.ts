import type { Annotations, Descriptor } from "../oci/types.ts";
import { printable } from "../text/printable.ts";
import { annotationPatterns } from "./annotation-pattern.ts";
import { hasFilters } from "./choice.ts";
import { compileGlob } from "./glob.ts";
import { annotationClause } from "./manifest-matcher.ts";
import { remembered } from "./remembered.ts";
import type { LayerSelector } from "./selection.ts";

/** The filters of spec.layerSelector, ready to be asked; an answer is a clause saying why not, undefined means yes. */
export interface LayerMatcher {
  /** False where the selector says nothing about what layers are. */
  readonly hasFilters: boolean;
  readonly reject: (descriptor: Descriptor) => string | undefined;
}

/** The matcher of a selector; without one it takes every layer. */
export function layerMatcher(selector: LayerSelector = unconditional): LayerMatcher {
  return matcherOf(selector);
}

const unconditional: LayerSelector = {};
const none: Annotations = {};
const matcherOf = remembered(createMatcher);

function createMatcher(selector: LayerSelector): LayerMatcher {
  const { mediaType } = selector;
  const matchesType = mediaType === undefined ? undefined : compileGlob(mediaType);
  const annotations = annotationPatterns(selector.annotations);
  return {
    hasFilters: hasFilters(selector),
    reject: remembered((descriptor: Descriptor) => {
      const offered = descriptor.annotations ?? none;
      // All of them here, where others have their turn.
      const missed = annotations.filter(({ matches }) => matches(offered) !== true);
      if (matchesType?.(descriptor.mediaType) === false)
        return `its media type ${printable(descriptor.mediaType)} is not ${printable(mediaType ?? "")}`;
      const wrong = missed.at(0);
      return wrong && annotationClause(wrong.key, wrong.pattern, offered);
    }),
  };
}
