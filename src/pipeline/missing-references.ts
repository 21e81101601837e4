import type { ArtifactRepositorySpec } from "../../api/v1beta1/spec.ts";
import { readSecret, readServiceAccount, type SecretSource } from "../credentials/secret-data.ts";
import { CodedError, codeOf, messageOf } from "../errors.ts";
import type { RegistryAccess, TargetAccess } from "./ports.ts";

/** A Secret or ServiceAccount that a spec names. */
export interface NamedReference {
  readonly kind: "Secret" | "ServiceAccount";
  readonly name: string;
  /** `publish.oci.secretRef` */
  readonly field: string;
}

/** Everything that a spec names in its namespace. */
export function referencesOf({ verify, publish, ...access }: ArtifactRepositorySpec): NamedReference[] {
  return [
    ...accessReferences(access, ""),
    ...secret(verify?.secretRef, "verify.secretRef"),
    ...secret(verify?.trustedRootSecretRef, "verify.trustedRootSecretRef"),
    ...(publish?.oci ? targetReferences(publish.oci) : []),
  ];
}

/** What `spec.publish.oci` names. */
export function targetReferences(target: TargetAccess): NamedReference[] {
  const field = "publish.oci.";
  return [...accessReferences(target, field), ...secret(target.sign?.secretRef, `${field}sign.secretRef`)];
}

function accessReferences(access: RegistryAccess, prefix: string): NamedReference[] {
  const { secretRef, serviceAccountName, certSecretRef, proxySecretRef } = access;
  return [
    ...secret(secretRef, `${prefix}secretRef`),
    ...secret(certSecretRef, `${prefix}certSecretRef`),
    ...secret(proxySecretRef, `${prefix}proxySecretRef`),
    ...(serviceAccountName
      ? [{ kind: "ServiceAccount" as const, name: serviceAccountName, field: `${prefix}serviceAccountName` }]
      : []),
  ];
}

function secret(ref: { readonly name: string } | undefined, field: string): NamedReference[] {
  return ref === undefined ? [] : [{ kind: "Secret", name: ref.name, field }];
}

/**
 * Does `work`; where something is missing that a spec names, everything else that is missing is told of as well, so that all of
 * it can be made at once. Nothing more is read where the work succeeds.
 */
export async function tellingAllMissing<T>(
  work: Promise<T>,
  named: readonly NamedReference[],
  source: SecretSource,
  signal: AbortSignal,
): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (codeOf(error) !== "SecretNotFound") throw error;
    const missing = await missingOf(named, source, signal);
    const first = messageOf(error);
    // What stands in no field is told of too: pull secrets of a ServiceAccount.
    const others = missing.some(({ full }) => first.includes(`${full},`)) ? [] : [first];
    throw new CodedError("SecretNotFound", [...others, ...missing.map(({ sentence }) => sentence)].join("; "), {
      cause: error,
    });
  }
}

async function missingOf(
  named: readonly NamedReference[],
  source: SecretSource,
  signal: AbortSignal,
): Promise<{ readonly full: string; readonly sentence: string }[]> {
  const fields = new Map<string, NamedReference & { readonly fields: string[] }>();
  for (const one of named) {
    const key = `${one.kind} ${source.namespace}/${one.name}`;
    const known = fields.get(key);
    if (known === undefined) fields.set(key, { ...one, fields: [one.field] });
    else known.fields.push(one.field);
  }
  const asked = [...fields].map(async ([full, one]) => {
    const isMissing = await read(one, source, signal).then(
      () => false,
      (error: unknown) => codeOf(error) === "SecretNotFound",
    );
    const names = one.fields.length === 1 ? "names" : "name";
    return isMissing ? [{ full, sentence: `${full}, which ${one.fields.join(" and ")} ${names}, does not exist` }] : [];
  });
  return (await Promise.all(asked)).flat();
}

async function read({ kind, name, field }: NamedReference, source: SecretSource, signal: AbortSignal): Promise<void> {
  if (kind === "Secret") await readSecret(source, name, field, signal);
  else await readServiceAccount(source, name, signal);
}
