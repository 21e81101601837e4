import { codeOf, messageOf } from "../errors.ts";
import type { ReconcileContext } from "./memory.ts";
import type { Identified } from "./ports.ts";
import { progressConditions, type StatusBasis } from "./status.ts";
import { writeStatus } from "./status-writer.ts";

/** Runs `work`; where it takes long, the object says meanwhile that it is being worked on. */
export async function withProgress<T>(
  owner: Identified,
  basis: StatusBasis,
  context: ReconcileContext,
  work: () => Promise<T>,
): Promise<T> {
  const { memory, deps, signal } = context;
  let writing: Promise<void> | undefined;
  const seen = owner.object.metadata.resourceVersion;
  const tell = async (): Promise<void> => {
    const conditions = progressConditions(basis, `fetching and building the artifact of ${owner.object.spec.url}`);
    const written = await writeStatus(
      { kube: deps.kube, owner, before: basis.before, after: { ...basis.before, conditions } },
      signal,
    );
    if (written !== undefined) memory.statuses.remember(owner.uid, seen, written);
  };
  const timer = setTimeout(() => {
    // Only for the eyes: the final status says what matters.
    writing = tell().catch((error: unknown) =>
      deps.log("debug", `progress was not written: ${messageOf(error)}`, { code: codeOf(error) }),
    );
  }, deps.settings.progressAfterMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    await writing;
  }
}
