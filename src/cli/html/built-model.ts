import type { Layer } from "../../oci/types.ts";
import type { PageModel } from "./model.ts";
import type { Offer } from "./offers.ts";

/** A layer or config of the model, with its number. */
export interface Numbered {
  readonly number: number;
  readonly layer: Layer;
}

/** The model of a page, with what its rows are drawn from. */
export interface BuiltModel {
  readonly model: PageModel;
  /** Number of each manifest, by digest. */
  readonly manifestNumbers: ReadonlyMap<string, number>;
  /** Layers and configs of each manifest, in its order. */
  readonly layersOfManifest: readonly (readonly Numbered[])[];
  /** Every resource of an OCM component version; those of the model are the ones that can be picked. */
  readonly offers: readonly Offer[];
}
