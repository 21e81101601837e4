import { codeOf } from "../errors.ts";
import type { NextStep, Resolver } from "./content.ts";
import type { Descriptor } from "./types.ts";

/** Registries that hide what is private, and those behind a virtual repository, say so of what does not exist, too. */
const absences: ReadonlySet<string> = new Set(["NotFound", "Forbidden", "Unauthorized"]);

/** Whether `error` says of a tag, in a repository that was just read from, that it is not there as far as one may know. */
export function isAbsence(error: unknown): boolean {
  return absences.has(codeOf(error));
}

/** What a tag or digest names; undefined where there is no such thing, as far as the registry lets one know. */
export async function resolveOptional(
  repository: Resolver,
  reference: string,
  signal: AbortSignal,
  next?: NextStep,
): Promise<Descriptor | undefined> {
  try {
    return await repository.resolve(reference, signal, next);
  } catch (error) {
    if (isAbsence(error)) return undefined;
    throw error;
  }
}
