import { codeOf } from "../errors.ts";

/** Registries that hide what is private, and those behind a virtual repository, say so of what does not exist, too. */
const absences: ReadonlySet<string> = new Set(["NotFound", "Forbidden", "Unauthorized"]);

/** Whether `error` says of a tag, in a repository that was just read from, that it is not there as far as one may know. */
export function isAbsence(error: unknown): boolean {
  return absences.has(codeOf(error));
}
