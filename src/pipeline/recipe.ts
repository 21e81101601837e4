import type { Layer, ManifestNode } from "../oci/types.ts";
import type { OperationName, OperationOptions } from "../operation/operation.ts";
import type { Selection } from "../select/selection.ts";
import { operationOf, optionsOf, type BuildContext } from "./build.ts";
import { contentRepository } from "./component.ts";
import { buildChecksum } from "./spec.ts";

/** What is made, and from the layers of which repository. */
export interface Recipe {
  /** Name of the repository: what another one shows is another one's. */
  readonly repository: string;
  readonly operation: OperationName;
  readonly options: OperationOptions;
  readonly layers: readonly Layer[];
}

/**
 * A checksum of everything that shapes an artifact: equal ones are made into equal content. A tag, a manifest or an index
 * is in it only where names are made of it, so that most new versions with the same layers have the same one.
 */
export function recipeOf({ repository, operation, options, layers }: Recipe): string {
  const { nameOf, rules, tag, ...plain } = options;
  const isTemplate = options.filename?.includes("{") === true;
  // A config is read as the layout of its manifest says.
  const usesManifests = isTemplate || options.layout === "ManifestPerDir" || (rules?.configs.length ?? 0) > 0;
  const nodes = [...new Set(layers.map(({ node }) => node))];
  return buildChecksum({
    repository,
    operation,
    options: { ...plain, ...(isTemplate && { tag }) },
    nodes: usesManifests ? nodes.map(manifestFacts) : nodes.length,
    configs: rules?.configs.map(({ config }) => [nodes.indexOf(config.node), config.descriptor.digest]),
    layers: layers.map((layer) => ({
      ...layerFacts(layer),
      node: nodes.indexOf(layer.node),
      name: nameOf?.(layer, options),
      isExecutable: rules?.isExecutable(layer),
      holdsOneFile: rules?.holdsOneFile(layer),
    })),
  });
}

function layerFacts({ descriptor, ordinal }: Layer): object {
  const { digest, size, mediaType, annotations } = descriptor;
  return { digest, size, mediaType, annotations, ordinal };
}

function manifestFacts({ descriptor, effectiveType, effectiveAnnotations }: ManifestNode): object {
  const { digest, platform } = descriptor;
  return { digest, platform, effectiveType, effectiveAnnotations };
}

/** Under what a selection may be known. They differ where only the first bytes of its layer tell what is done. */
export interface Recipes {
  readonly extracted: string;
  readonly copied: string;
}

/** The recipes of a selection: equal ones make equal artifacts. */
export function recipesFor(context: Omit<BuildContext, "dir">, selection: Selection): Recipes {
  const { name: repository } = contentRepository(context);
  const { layers, isUndecided = false } = selection;
  const recipe = { repository, operation: operationOf(selection), layers };
  // An archive is extracted as if somebody had said so.
  const { copiesRaw, ...options } = optionsOf(context, selection);
  const extracted = recipeOf({ ...recipe, options });
  if (!isUndecided || copiesRaw === undefined) return { extracted, copied: extracted };
  return { extracted, copied: recipeOf({ ...recipe, options: { ...options, copiesRaw } }) };
}
