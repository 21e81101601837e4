import { CodedError } from "../../errors.ts";
import { formatIdentity, type IdentitySelector } from "../../component/identity.ts";
import type { OpenRepository, Place } from "../../component/locate.ts";
import { findResource, type ComponentSelector } from "../../component/resolve.ts";
import type { Repository } from "../../oci/content.ts";
import type { Limits } from "../../oci/limits.ts";
import type { Descriptor, Digest } from "../../oci/types.ts";
import { selectFound } from "../../pipeline/select.ts";
import type { IndexSelector, LayerSelector, Selection } from "../../select/selection.ts";
import type { Suggestion } from "../../select/suggest-manifest.ts";

/** A manifest, then a layer; one more where a suggestion itself needs to be corrected. */
const maxRounds = 4;

/** Candidates that a decision had to be made between; the first of them was taken. */
export interface Decided {
  readonly field: "ref" | "component" | "indexSelector" | "layerSelector";
  /** One line each: what else there was. */
  readonly candidates: readonly string[];
  /** Candidates in all, listed or not. */
  readonly count: number;
}

/** A spec that selects something, and what else could have been meant. */
export interface Choice {
  readonly digest?: Digest;
  readonly component?: ComponentSelector;
  readonly indexSelector?: IndexSelector;
  readonly layerSelector?: LayerSelector;
  readonly decided: readonly Decided[];
  readonly selection: Selection;
  /** `ocm` where the component version's descriptor carries a signature. */
  readonly signedBy: "ocm" | undefined;
}

export interface ChoiceContext {
  readonly repository: Repository;
  /** Undefined for a layout on disk. */
  readonly place: Place | undefined;
  /** Opens what a component version refers to. */
  readonly open: OpenRepository;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/**
 * Selects without any selector, and where that is refused with what the refusal suggests.
 * @throws what `selectLayers` throws where it has nothing to suggest
 */
export async function chooseSpec(root: Descriptor, context: ChoiceContext): Promise<Choice> {
  let trial: Trial = { from: root, spec: {}, decided: [] };
  for (let round = 1; ; round++) {
    try {
      return { ...trial.spec, decided: trial.decided, ...(await select(trial, context)) };
    } catch (error) {
      const next = round < maxRounds ? await follow(trial, error, context) : undefined;
      if (next === undefined) throw error;
      trial = next;
    }
  }
}

interface Trial {
  readonly from: Descriptor;
  readonly spec: Pick<Choice, "digest" | "component" | "indexSelector" | "layerSelector">;
  readonly decided: readonly Decided[];
}

async function select({ from, spec }: Trial, context: ChoiceContext): Promise<Pick<Choice, "selection" | "signedBy">> {
  const { component, indexSelector, layerSelector } = spec;
  const found =
    component &&
    (await findResource({ ...context, root: from, tag: undefined, selector: component, coverage: undefined }));
  const selection = await selectFound({ ...context, root: from, found, indexSelector, layerSelector });
  return { selection, signedBy: found && found.root.descriptor.signatures.length > 0 ? "ocm" : undefined };
}

/** What the refusal suggests to try next; undefined where it suggests nothing. */
async function follow(
  { from, spec, decided }: Trial,
  error: unknown,
  { repository, signal }: ChoiceContext,
): Promise<Trial | undefined> {
  const details = error instanceof CodedError ? error.details : undefined;
  const suggestion = details?.["suggestion"] as Suggestion | undefined;
  if (details === undefined || suggestion === undefined) return undefined;
  const { ref, ...selectors } = suggestion;
  return {
    from: ref === undefined ? from : await repository.resolve(ref.digest, signal),
    spec: { ...spec, ...selectors, ...(ref && { digest: ref.digest }) },
    decided: [...decided, decidedBy(suggestion, details)],
  };
}

function decidedBy(suggestion: Suggestion, details: Readonly<Record<string, unknown>>): Decided {
  const rows = (details["candidates"] as readonly Readonly<Record<string, unknown>>[] | undefined) ?? [];
  const fields = ["component", "layerSelector", "indexSelector"] as const;
  const field = fields.find((name) => suggestion[name] !== undefined) ?? "ref";
  return { field, candidates: rows.map(candidateLine), count: (details["count"] as number | undefined) ?? rows.length };
}

/** Candidates as they are described in refusals: resources by identity, manifests by type and platform, layers by offset, type and title. */
function candidateLine(row: Readonly<Record<string, unknown>>): string {
  if (typeof row["name"] === "string") return formatIdentity(row as unknown as IdentitySelector);
  const offset = row["offset"];
  const place = typeof offset !== "number" ? undefined : offset < 0 ? "config" : `offset ${offset}`;
  return [place, row["title"], row["mediaType"], row["artifactType"], row["platform"], row["digest"]]
    .filter((part) => typeof part === "string")
    .join("  ");
}
