import type { KubeObject, ObjectKey } from "../kube/client.ts";
import type { RawObject } from "../pipeline/object.ts";

/** The fields of an unchecked spec that may name other objects. */
interface Access {
  readonly secretRef?: { readonly name?: string };
  readonly certSecretRef?: { readonly name?: string };
  readonly proxySecretRef?: { readonly name?: string };
}

interface LooseSpec extends Access {
  readonly ref?: { readonly imagePolicyRef?: { readonly name?: string } };
  readonly verify?: {
    readonly secretRef?: { readonly name?: string };
    readonly trustedRootSecretRef?: { readonly name?: string };
  };
  readonly publish?: {
    readonly oci?: Access & { readonly sign?: { readonly secretRef?: { readonly name?: string } } };
  };
}

/** Names of the Secrets and of the ImagePolicy that an object's spec refers to, in its own namespace. */
export function dependenciesOf(object: RawObject): {
  readonly secrets: readonly string[];
  readonly imagePolicy: string | undefined;
} {
  const spec = specOf(object);
  const accesses: readonly (Access | undefined)[] = [spec, spec.publish?.oci];
  const refs = [
    ...accesses.flatMap((access) => [access?.secretRef, access?.certSecretRef, access?.proxySecretRef]),
    spec.verify?.secretRef,
    spec.verify?.trustedRootSecretRef,
    spec.publish?.oci?.sign?.secretRef,
  ];
  return { secrets: refs.flatMap((ref) => ref?.name ?? []), imagePolicy: spec.ref?.imagePolicyRef?.name };
}

function specOf({ spec }: RawObject): LooseSpec {
  return typeof spec === "object" && spec !== null ? spec : {};
}

/** The queue's name for an object, and back. */
export function queueKey({ namespace, name }: ObjectKey): string {
  return `${namespace}/${name}`;
}

export function objectKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Our owner of a published object, where it has one. */
export function ownerOf(object: KubeObject, kind: string): (ObjectKey & { readonly uid: string }) | undefined {
  const owner = object.metadata.ownerReferences?.find((reference) => reference.kind === kind);
  return owner && { namespace: object.metadata.namespace, name: owner.name, uid: owner.uid };
}
