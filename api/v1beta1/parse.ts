import { artifactRepositorySchema, type ArtifactRepository } from "./artifact-repository.ts";
import { describeIssues, type SpecIssue } from "./issues.ts";

export type ParsedArtifactRepository =
  { readonly resource: ArtifactRepository } | { readonly issues: readonly SpecIssue[] };

/**
 * Checks an object out of a manifest or from the API server against the schema, fills in defaults and normalises
 * Flux's spellings. Unknown fields of the spec are issues: a field that a reader ignores is one whose author is
 * deceived, and for `verify` that would be dangerous. An unreadable `status` is dropped, so that it is made anew.
 */
export function parseArtifactRepository(object: unknown): ParsedArtifactRepository {
  const parsed = artifactRepositorySchema.safeParse(holdsNull(object) ? withoutNulls(object) : object);
  if (parsed.success) return { resource: parsed.data };
  return { issues: describeIssues(artifactRepositorySchema, object, parsed.error.issues) };
}

/** The API server drops fields that are null before it looks at anything else; templates leave many behind. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, child]) => child !== null);
  return Object.fromEntries(kept.map(([key, child]) => [key, withoutNulls(child)]));
}

/** Whether there is any at all below an object or a list: mostly not, and then nothing is copied. */
function holdsNull(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((child) => child === null || holdsNull(child));
}
