import { readComponent } from "../component/read.ts";
import type { Repository } from "../oci/content.ts";
import { selectLayers } from "../select/select.ts";
import type { Selection, SelectRequest } from "../select/selection.ts";
import { verifyRootOrSelected, type Verification, type Verifier, type VerifyPolicy } from "../verify/verifier.ts";

/** Where the signature was good; `selection` where it had to be made on the way. */
export interface Verified {
  readonly verification: Verification | undefined;
  readonly selection: Selection | undefined;
}

export interface VerifyStep {
  /** Where it is an OCM component version, the manifest with the descriptor may be signed in the place of the root. */
  readonly isComponent: boolean;
  readonly verifier: Verifier;
  readonly policy: VerifyPolicy | undefined;
  readonly repository: Repository;
  readonly select: SelectRequest;
}

/**
 * Checks the root before any child is read. Where the root carries no signature, the selected manifests are checked by
 * their own (api.md, "verify").
 * @throws VerificationFailed, and what the selection throws
 */
export async function verifySource(step: VerifyStep): Promise<Verified> {
  const { verifier, policy, repository, select, isComponent } = step;
  if (policy === undefined) return { verification: undefined, selection: undefined };
  let selection: Selection | undefined;
  const verification = await verifyRootOrSelected(
    verifier,
    { repository, root: select.root, policy, signal: select.signal },
    async () => {
      if (isComponent) return [(await readComponent(repository, select.root, select)).node.descriptor];
      const selected = await selectLayers(select);
      selection = selected;
      return selected.nodes.map(({ descriptor }) => descriptor);
    },
  );
  return { verification, selection };
}
