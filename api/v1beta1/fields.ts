import * as z from "zod";
import { isSet, type Rule } from "./rules.ts";

/** Longest list or map that a spec may hold, unless a field says otherwise. */
const defaultMaxItems = 64;

/** A reference to an object in the same namespace; there is no field for another namespace. */
export function localRef(description: string) {
  return z
    .strictObject({
      name: z.string().min(1).max(253).describe("Name of the object, in the namespace of the ArtifactRepository."),
    })
    .describe(description);
}

export function text(description: string, maxLength = 1024) {
  return z.string().max(maxLength).describe(description);
}

/** A map whose values are globs or plain strings. */
export function stringMap(description: string) {
  return z
    .record(z.string(), z.string().max(1024))
    .refine((map) => Object.keys(map).length <= defaultMaxItems, `write at most ${defaultMaxItems} entries`)
    .meta({ description, maxProperties: defaultMaxItems });
}

export function list<T extends z.ZodType>(item: T, description: string, maxItems = defaultMaxItems) {
  return z.array(item).max(maxItems).describe(description);
}

export function int64(description: string) {
  return z.int().meta({ description, format: "int64" });
}

const providers = ["generic", "aws", "azure", "gcp"] as const;

/** How a registry is reached and who asks; the same for the source and for `publish.oci`. */
export const registryAccess = {
  provider: z
    .enum(providers)
    .default("generic")
    .describe(
      "Where the credentials come from: `generic` (secretRef, serviceAccountName or none), or the workload identity " +
        "of `aws`, `azure` or `gcp`.",
    ),
  secretRef: localRef("A Secret of type kubernetes.io/dockerconfigjson with the registry's credentials.").optional(),
  serviceAccountName: text(
    "The ServiceAccount whose imagePullSecrets are used, or, where its annotation `credential.auth.fluxcd.io/provider` is `kubernetes`, a token of its own; with provider aws, azure or gcp the one whose workload identity is used.",
    253,
  ).optional(),
  certSecretRef: localRef(
    "A Secret with `ca.crt`, which extends the system's roots, and/or `tls.crt` and `tls.key`, the client certificate.",
  ).optional(),
  proxySecretRef: localRef(
    "A Secret with the proxy's `address` and, where it asks for them, `username` and `password`.",
  ).optional(),
  insecure: z
    .boolean()
    .describe("Speak plain HTTP with the registry. The verification of TLS certificates cannot be switched off.")
    .optional(),
};

/** Plain HTTP has no certificates. */
export const certificatesOfTls: Rule<{
  readonly certSecretRef?: unknown;
  readonly insecure?: boolean | undefined;
}> = {
  field: "insecure",
  cel: "!has(self.certSecretRef) || !has(self.insecure) || !self.insecure",
  holds: ({ certSecretRef, insecure }) => !isSet(certSecretRef) || insecure !== true,
  message: "insecure is plain HTTP, which has no use for the certificates of certSecretRef; remove one of the two",
};
