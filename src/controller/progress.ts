import { codeOf, messageOf } from "../errors.ts";
import type { ReconcileContext } from "./memory.ts";
import { progressConditions, type StatusBasis } from "./status.ts";
import { writeStatus } from "./status-writer.ts";
import type { Identified } from "../pipeline/object.ts";

/** An object that is being reconciled, and what its status is made from. */
export interface Working {
  readonly owner: Identified;
  readonly basis: StatusBasis;
  readonly context: ReconcileContext;
}

/** Runs `work`; where it takes long, the object says meanwhile that it is being worked on. */
export async function withProgress<T>(working: Working, work: () => Promise<T>): Promise<T> {
  const { owner, context } = working;
  let writing: Promise<void> | undefined;
  const timer = setTimeout(() => {
    writing = tellProgress(working, `fetching and building the artifact of ${owner.object.spec.url}`);
  }, context.deps.settings.progressAfterMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    await writing;
  }
}

/** Says in the status what the object is at. Only for the eyes, so it does not fail: the final status says what matters. */
export async function tellProgress({ owner, basis, context }: Working, message: string): Promise<void> {
  const { memory, deps, signal } = context;
  const seen = owner.object.metadata.resourceVersion;
  try {
    const written = await writeStatus(
      {
        kube: deps.kube,
        owner,
        before: basis.before,
        after: { ...basis.before, conditions: progressConditions(basis, message) },
      },
      signal,
    );
    if (written !== undefined) memory.statuses.remember(owner.uid, seen, written);
  } catch (error) {
    deps.log("debug", `progress was not written: ${messageOf(error)}`, { code: codeOf(error) });
  }
}
