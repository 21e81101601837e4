import type { OperationName } from "../../operation/operation.ts";
import type { deriveSpec, Deriving, manifestsOf } from "./derive.ts";
import type { PageModel, PickedSpec, Picks } from "./model.ts";
import type { PageScope } from "./page-scope.ts";

// All functions of this file run in the page, too: they use nothing from elsewhere.

/** What the page knows, and how one spec is derived. */
export interface ObjectDeriving extends Deriving {
  readonly deriveSpec: typeof deriveSpec;
  readonly manifestsOf: typeof manifestsOf;
}

/**
 * The specs that take exactly what is picked, or a sentence saying why there is none.
 *
 * @param isSplit false: one object for all of it; true: one for each resource, each manifest and, where that is needed,
 * each layer
 */
export function deriveSpecs(
  deriving: ObjectDeriving,
  { layers, resources }: Picks,
  operation: OperationName | undefined,
  isSplit: boolean,
): readonly PickedSpec[] | string {
  if (isSplit) return splitSpecs(deriving, { layers, resources }, operation);
  if (resources.length + Math.min(layers.length, 1) > 1)
    return "An object takes one resource of a component version, or layers. Pick one, or write an object for each.";
  if (resources.length > 0) return resources.map((resource) => resourceSpec(deriving.model, resource, operation));
  const spec = deriving.deriveSpec(deriving, layers, operation);
  return typeof spec === "string" ? spec : [spec];
}

/** More objects than this are nothing that anybody picked by hand. */
function splitSpecs(
  deriving: ObjectDeriving,
  { layers, resources }: Picks,
  operation: OperationName | undefined,
): readonly PickedSpec[] | string {
  const { model } = deriving;
  const maxObjects = 50;
  const manifests = deriving.manifestsOf(model, layers);
  const tooMany = `That is more than ${maxObjects} objects. Pick fewer.`;
  if (resources.length + manifests.length > maxObjects) return tooMany;
  const ofLayers = manifests.flatMap((manifest) => {
    const group = layers.filter((layer) => model.layers[layer]!.manifest === manifest);
    const spec = deriving.deriveSpec(deriving, group, operation);
    if (typeof spec !== "string") return [spec];
    return group.length > maxObjects
      ? [tooMany]
      : group.map((layer) => deriving.deriveSpec(deriving, [layer], operation));
  });
  const specs = resources
    .map((resource) => resourceSpec(model, resource, operation))
    .concat(ofLayers.filter((spec) => typeof spec !== "string"));
  return ofLayers.find((spec) => typeof spec === "string") ?? (specs.length > maxObjects ? tooMany : specs);
}

function resourceSpec({ ref, resources }: PageModel, at: number, operation: OperationName | undefined): PickedSpec {
  const { selector } = resources[at]!;
  return { ref, component: { resource: selector }, ...(operation !== undefined && { layerSelector: { operation } }) };
}

export const objectsScope: PageScope = {
  functions: [deriveSpecs, splitSpecs, resourceSpec],
  offers: { deriveSpecs },
};
