import { CodedError, codeOf, messageOf } from "../errors.ts";
import { inComponentTerms } from "../component/explain.ts";
import type { Fetcher, Repository } from "../oci/content.ts";
import type { Limits } from "../oci/limits.ts";
import type { Descriptor, Layer } from "../oci/types.ts";
import { selectLayers } from "../select/select.ts";
import type { Selection, SelectRequest } from "../select/selection.ts";
import type { Suggestion } from "../select/suggest-manifest.ts";
import { exploreComponent, type ExploredComponent } from "./component.ts";
import { loadGraph, type Graph } from "./graph.ts";
import { rememberManifests } from "./memo.ts";
import { findReferrers, type Referrers } from "./referrers.ts";

/** Why nothing is taken without a selector. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  /** The fragment of the spec that decides. */
  readonly suggestion?: Suggestion;
}

/** An artifact and what is taken of it without any selector. */
export interface Explored {
  readonly root: Descriptor;
  readonly graph: Graph;
  readonly referrers: Referrers;
  /** Undefined where it is not an OCM component version. */
  readonly component: ExploredComponent | undefined;
  readonly outcome: Selection | Refusal;
}

export interface ExploreOptions {
  readonly referrers: boolean;
  readonly limits: Limits;
  readonly signal: AbortSignal;
}

/** Manifests and indexes that a person may look at. A selection ends at `limits.maxManifests`, and says so. */
const maxShown = 10_000;

/** @throws what `loadGraph` throws */
export async function explore(
  repository: Repository,
  root: Descriptor,
  { referrers, limits, signal }: ExploreOptions,
): Promise<Explored> {
  const fetcher = Object.assign(rememberManifests(repository), { name: repository.name });
  const graph = await loadGraph(fetcher, root, { limits: { ...limits, maxManifests: maxShown }, signal });
  const subjects = [...graph].flatMap(([digest, { kind }]) => (kind === "unread" ? [] : [digest]));
  return {
    root,
    graph,
    referrers: referrers ? await findReferrers(repository, subjects, signal) : { bySubject: new Map(), problems: [] },
    component: await exploreComponent(fetcher, root, graph, { limits, signal }),
    outcome: await trySelect({ root, repository: fetcher, limits, signal }),
  };
}

export function isSelection(outcome: Explored["outcome"]): outcome is Selection {
  return "layers" in outcome;
}

export function selectedLayers({ outcome }: Explored): readonly Layer[] {
  return isSelection(outcome) ? outcome.layers : [];
}

interface Request extends SelectRequest {
  readonly repository: Fetcher & { readonly name: string };
}

async function trySelect(request: Request): Promise<Selection | Refusal> {
  try {
    return await selectLayers(request);
  } catch (failure) {
    request.signal.throwIfAborted();
    const error = await inComponentTerms(failure, request.repository, request.root, request);
    const suggestion =
      error instanceof CodedError ? (error.details?.["suggestion"] as Suggestion | undefined) : undefined;
    return { code: codeOf(error), message: messageOf(error), ...(suggestion && { suggestion }) };
  }
}
