// What a layerSelector means, over plain data. `selectLayers` asks here, and so does the page of `strata tree --html`,
// which carries these functions: they import nothing and use nothing from elsewhere.

type Operation = "Extract" | "Copy" | "ExtractAll";

/** The fields of spec.layerSelector. */
export interface ChoosingSelector {
  readonly mediaType?: string | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly offset?: number | undefined;
  readonly operation?: Operation | undefined;
  readonly layout?: string | undefined;
  readonly filename?: string | undefined;
}

/** What one manifest has for a selector. */
export interface Offered {
  /** What may be taken, in order. */
  readonly pool: readonly unknown[];
  /** Whether that is its config blob, which is a file and never unpacked. */
  readonly isConfig: boolean;
  /** What its known layout does with its content; undefined where the layout is not known. */
  readonly usual: Operation | undefined;
}

/** Which layers are taken and what is done with them, or why that cannot be said. */
export type Choice<O extends Offered> = { readonly operation: Operation } & (
  { readonly kind: "none" } | { readonly kind: "several" } | Picked<O>
);

type Picked<O extends Offered> =
  | { readonly kind: "chosen"; readonly layers: readonly O["pool"][number][] }
  | { readonly kind: "ambiguous"; readonly offer: O }
  | { readonly kind: "outOfRange"; readonly offer: O; readonly offset: number };

/** Chooses among what the selected manifests offer. */
export function chooseAmong<O extends Offered>(offers: readonly O[], selector: ChoosingSelector): Choice<O> {
  const giving = offers.filter(({ pool }) => pool.length > 0);
  const operation = operationFor(giving, selector);
  const offset = selector.offset ?? 0;
  if (giving.length === 0) return { kind: "none", operation };
  if (operation === "ExtractAll" && (offset === 0 || selector.operation === "ExtractAll"))
    return { kind: "chosen", layers: giving.flatMap(({ pool }) => pool), operation };
  if (giving.length > 1 && operation !== "ExtractAll") return { kind: "several", operation };
  // Offset 0 is the default: without a filter it is not a choice.
  return { ...pickOne(giving, offset, hasFilters(selector) || offset !== 0), operation };
}

/** One layer of each manifest. */
function pickOne<O extends Offered>(giving: readonly O[], offset: number, isChoice: boolean): Picked<O> {
  const outside = giving.find(({ pool }) => pool.at(offset) === undefined);
  if (outside !== undefined) return { kind: "outOfRange", offer: outside, offset };
  const unclear = giving.find(({ pool }) => pool.length > 1);
  if (unclear !== undefined && !isChoice) return { kind: "ambiguous", offer: unclear };
  return { kind: "chosen", layers: giving.map(({ pool }) => pool.at(offset)) };
}

/** The selector's operation, else that of the known layout, else Extract. */
function operationFor(giving: readonly Offered[], selector: ChoosingSelector): Operation {
  if (selector.operation !== undefined) return selector.operation;
  if (selector.layout !== undefined) return "ExtractAll";
  if (isAsInFlux(giving, selector)) return "Extract";
  const all = giving.map(({ isConfig, usual }) => (isConfig ? "Copy" : (usual ?? "Extract")));
  return all.every((usual) => usual === all[0]) ? (all[0] ?? "Extract") : "Extract";
}

/**
 * Whether the selector says only what an OCIRepository's can: one exact type, whatever it is called, unless it names a
 * format that cannot be an archive, where Flux would fail. Flux then extracts the first match, and a manifest that was
 * migrated must go on giving the same files. The fields that keep this meaning are listed; with any other one, with
 * several manifests or with a config blob, the known layout decides.
 */
export function isAsInFlux(offers: readonly Offered[], selector: ChoosingSelector): boolean {
  const keeping = new Set(["mediaType", "operation", "onConflict", "symlinks"]);
  const archive = /[.+](?:tar|gz|gzip|tgz|tar\.gz)$/;
  const file =
    /^(?:text|image|audio|video|font|model)\/|[/+.](?:jsonl?|ya?ml|xml|toml|rego|raw|wasm|pdf|txt|cue)$|[/+.](?:wasm|gguf)\b/;
  const { mediaType } = selector;
  if (mediaType === undefined || /[*?[\\]/.test(mediaType)) return false;
  if (!statedFields(selector).every((field) => keeping.has(field))) return false;
  const [only, ...others] = offers.filter(({ pool }) => pool.length > 0);
  return archive.test(mediaType) || (!file.test(mediaType) && others.length === 0 && only?.isConfig === false);
}

/** Whether layers are told apart by what they are. Fields that say what is done with them are listed; the others filter. */
export function hasFilters(selector: ChoosingSelector): boolean {
  const combining = new Set(["offset", "operation", "layout", "filename", "onConflict", "symlinks"]);
  return statedFields(selector).some((field) => !combining.has(field));
}

/** An offset of 0 and no annotations at all say as much as nothing. */
function statedFields(selector: ChoosingSelector): string[] {
  return Object.entries(selector).flatMap(([field, value]: [string, unknown]) => {
    const isEmpty = typeof value === "object" && Object.keys(value ?? {}).length === 0;
    return value === undefined || isEmpty || (field === "offset" && value === 0) ? [] : [field];
  });
}

/**
 * What filters leave of one manifest: the layers that pass. The config blob counts where a media type names it and no
 * layer: a glob such as `application/vnd.example.*` is not meant to mix it into them.
 *
 * @param config the config blob where it passes, else nothing
 */
export function filteredPool<T>(layers: readonly T[], config: readonly T[], selector: ChoosingSelector): readonly T[] {
  return layers.length > 0 || selector.mediaType === undefined ? layers : config;
}

/** The manifests that are considered without an indexSelector: those with something to take, if there are any. */
export function consideredOf<T>(manifests: readonly T[], hasContent: (manifest: T) => boolean): readonly T[] {
  const full = manifests.filter(hasContent);
  return full.length > 0 ? full : manifests;
}

/** What other code may ask, also where it runs without imports. */
export interface Chooser {
  readonly chooseAmong: typeof chooseAmong;
  readonly filteredPool: typeof filteredPool;
  readonly consideredOf: typeof consideredOf;
}

export const chooser: Chooser = { chooseAmong, filteredPool, consideredOf };

/** Every function that `chooser` needs. */
export const chooserFunctions = [
  chooseAmong,
  pickOne,
  operationFor,
  isAsInFlux,
  hasFilters,
  statedFields,
  filteredPool,
  consideredOf,
];
