import { CodedError } from "../errors.ts";

/** The parts of a Kubernetes Secret that are read, as on the wire: `data` is base64. */
export interface Secret {
  readonly type?: string | undefined;
  readonly data?: Readonly<Record<string, string>> | undefined;
  /** Only in manifests; the API server folds it into `data`. */
  readonly stringData?: Readonly<Record<string, string>> | undefined;
}

/** The parts of a Kubernetes ServiceAccount that are read. */
export interface ServiceAccount {
  readonly metadata?:
    | { readonly uid?: string | undefined; readonly annotations?: Readonly<Record<string, string>> | undefined }
    | undefined;
  readonly imagePullSecrets?: readonly { readonly name?: string | undefined }[] | undefined;
}

/** Gets an object of one namespace. @throws NotFound, and what the Kubernetes client throws */
export type Read<T> = (namespace: string, name: string, signal: AbortSignal) => Promise<T>;

/** Where in the cluster credentials are looked for. */
export interface SecretSource {
  readonly namespace: string;
  readonly secrets: Read<Secret>;
  readonly serviceAccounts: Read<ServiceAccount>;
}

/** A Secret with its name and its decoded values. */
export interface SecretData {
  /** `apps/regcred`, for messages. */
  readonly name: string;
  readonly type: string | undefined;
  readonly values: ReadonlyMap<string, Buffer>;
}

/**
 * @param field the field of the spec that names it, for the message
 * @throws SecretNotFound
 */
export async function readSecret(
  source: SecretSource,
  name: string,
  field: string,
  signal: AbortSignal,
): Promise<SecretData> {
  const full = `${source.namespace}/${name}`;
  const secret = await source.secrets(source.namespace, name, signal).catch((error: unknown) => {
    throw missing(error, `Secret ${full}, which ${field} names, does not exist`);
  });
  return { name: full, type: secret.type, values: valuesOf(secret) };
}

/** @throws SecretNotFound */
export async function readServiceAccount(
  source: SecretSource,
  name: string,
  signal: AbortSignal,
): Promise<ServiceAccount> {
  return await source.serviceAccounts(source.namespace, name, signal).catch((error: unknown) => {
    throw missing(error, `ServiceAccount ${source.namespace}/${name}, which serviceAccountName names, does not exist`);
  });
}

/** A value as text, without the line break that `echo` leaves behind; undefined where it is absent or empty. */
export function textOf(secret: SecretData, key: string): string | undefined {
  return (
    secret.values
      .get(key)
      ?.toString("utf8")
      .replace(/[\r\n]+$/, "") || undefined
  );
}

export function secretInvalid(secret: Pick<SecretData, "name">, problem: string, cause?: unknown): CodedError {
  return new CodedError("SecretInvalid", `Secret ${secret.name}: ${problem}`, cause === undefined ? {} : { cause });
}

function valuesOf({ data = {}, stringData = {} }: Secret): ReadonlyMap<string, Buffer> {
  return new Map([
    ...Object.entries(data).map(([key, value]) => [key, Buffer.from(value, "base64")] as const),
    ...Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value, "utf8")] as const),
  ]);
}

function missing(error: unknown, message: string): unknown {
  return error instanceof CodedError && error.code === "NotFound"
    ? new CodedError("SecretNotFound", message, { cause: error })
    : error;
}
