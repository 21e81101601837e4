import { isDeepStrictEqual } from "node:util";
import type { DifferenceId } from "../../src/cli/migrate/differences.ts";
import type { Feature } from "./archive.ts";
import type { Artifact } from "./case.ts";
import type { Difference } from "./difference.ts";
import type { Observation } from "./observe.ts";
import type { Both } from "./run-cases.ts";

/** What both made of a case at a step, and what the spec said then. */
export interface Situation extends Both<Observation> {
  readonly artifacts: readonly Artifact[];
  readonly selector: Readonly<Record<string, unknown>>;
}

type Cause = (at: Situation) => boolean;

const layerFailed = "OCIArtifactLayerOperationFailed";
const isTaken = ({ flux, strata }: Situation): boolean => flux.ready === "True" && strata.ready === "True";
const isOnlyRefusedByFlux = ({ flux, strata }: Situation): boolean =>
  flux.ready === "False" && flux.reason === layerFailed && strata.ready === "True";
const isOnlyRefusedByStrata = ({ flux, strata }: Situation): boolean =>
  flux.ready === "True" && strata.ready === "False" && strata.reason === layerFailed;
const layersOf = ({ artifacts }: Situation) =>
  artifacts.flatMap(({ manifests }) => manifests.flatMap((one) => one.layers));
const has = (at: Situation, feature: Feature): boolean => layersOf(at).some(({ features }) => features.has(feature));
const isAnyForm = (at: Situation, ...forms: readonly string[]): boolean =>
  layersOf(at).some(({ form }) => forms.includes(form));

/** What explains that the two have taken, or refused, different things; the first that holds. */
const causes: readonly (readonly [DifferenceId, Cause])[] = [
  [
    "chart-tags",
    ({ flux, strata }) => flux.message.includes("no match found for semver") && strata.tag?.includes("_") === true,
  ],
  ["empty", ({ strata }) => strata.message.startsWith("no file is left to publish")],
  ["several-layers", ({ strata }) => strata.reason === "AmbiguousLayer"],
  ["index", ({ artifacts }) => artifacts.some(({ isIndex }) => isIndex)],
  ["copied-files", isCopiedFile],
  ["layouts", isKnownLayout],
  ["hard-links", (at) => isTaken(at) && has(at, "hard link") && differsOnlyIn(at, /(?:^|\/)hard$/)],
  [
    "strict-archives",
    (at) => isOnlyRefusedByStrata(at) && (isAnyForm(at, "broken") || has(at, "unsafe") || has(at, "hard link")),
  ],
  ["archive-forms", (at) => isOnlyRefusedByFlux(at) && isAnyForm(at, "plain", "zstd")],
  ["file-types", (at) => isOnlyRefusedByFlux(at) && isAnyForm(at, "raw", "gzipped file")],
  ["special-files", (at) => isOnlyRefusedByFlux(at) && has(at, "special")],
];

/** Without a media type, several layers that are not ambiguous are those of a known layout, also where one of them is refused. */
function isKnownLayout(at: Situation): boolean {
  const { artifacts, selector, strata } = at;
  if (selector["mediaType"] !== undefined) return false;
  const isSeveral = artifacts.some(({ manifests }) => manifests.some(({ layers }) => layers.length > 1));
  return strata.selected?.profile !== undefined || (isSeveral && isOnlyRefusedByStrata(at));
}

/** Both have the same bytes, Strata in a tarball. */
function isCopiedFile({ flux, strata }: Situation): boolean {
  const [copied, ...others] = Object.values(strata.files ?? {});
  return copied !== undefined && others.length === 0 && flux.files?.[""] === copied;
}

function differsOnlyIn({ flux, strata }: Situation, path: RegExp): boolean {
  const without = (files: Observation["files"]) =>
    Object.fromEntries(Object.entries(files ?? {}).filter(([name]) => !path.test(name)));
  return isDeepStrictEqual(without(flux.files), without(strata.files));
}

/** The row that explains why the two are not at the same place at this step. */
export function causeOf(at: Situation): DifferenceId | undefined {
  return causes.find(([, holds]) => holds(at))?.[0];
}

/** What is not the same although both have done the same. */
export function allowedAlways({ facet, values }: Difference): DifferenceId | undefined {
  const [flux, strata] = [values.flux, values.strata].map(
    (value) => new Set(Array.isArray(value) ? value.map(String) : []),
  );
  const lacking = [...flux!].filter((one) => !strata!.has(one));
  const added = [...strata!].filter((one) => !flux!.has(one));
  if (facet === "conditions") {
    if (lacking.length === 0 && added.every((one) => one.startsWith("Published="))) return "published";
    const isStall = lacking.join() === "Reconciling=True" && added.every((one) => /^(?:Published|Stalled)=/.test(one));
    return isStall ? "stalls" : undefined;
  }
  const isStored = (one: string): boolean =>
    /^Normal (?:GarbageCollectionSucceeded|ArtifactUpToDate|AuthenticationFailed)$/.test(one);
  return facet === "events" && added.length === 0 && lacking.every(isStored) ? "stored-events" : undefined;
}
