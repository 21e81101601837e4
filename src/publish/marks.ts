import type { Annotations } from "../oci/types.ts";
import { ownerAnnotation, ownerMark } from "../store/image-manifest.ts";
import type { Owner } from "../store/store.ts";

/** Tells objects of the same name apart, in other clusters and in other lives. */
const ownerUidAnnotation = "source.strata.dev/owner-uid";

/** Says whose a signature, an attestation or a copied referrer is. */
export function marksOf(owner: Owner, uid: string): Annotations {
  return { [ownerAnnotation]: ownerMark(owner), [ownerUidAnnotation]: uid };
}

/** Whether something was attached for this very object. */
export function isMarkedFor(owner: Owner, uid: string | undefined, annotations: Annotations): boolean {
  return isMarkedAs(owner, annotations) && annotations[ownerUidAnnotation] === uid;
}

/** Whether something was attached for an object of that name. */
export function isMarkedAs(owner: Owner, annotations: Annotations): boolean {
  return annotations[ownerAnnotation] === ownerMark(owner) && annotations[ownerUidAnnotation] !== undefined;
}
