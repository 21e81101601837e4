/**
 * Every failure that Strata reports carries one of these codes. The message is for people and may change;
 * the code is for programs and tests. `controller/status.ts` maps every code to a condition and a retry policy.
 */
export type ErrorCode =
  // What the user wrote
  | "InvalidReference"
  | "InvalidDigest"
  | "InvalidSpec"
  | "InvalidTemplate"
  | "InvalidPattern"
  // Talking to a registry
  | "RegistryUnreachable"
  | "RegistryTimeout"
  | "RegistryUnavailable"
  | "RegistryResponseInvalid"
  | "RegistryUnsupported"
  | "RateLimited"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "TlsFailed"
  | "EndpointRefused"
  // Content that is not what its descriptor says
  | "DigestMismatch"
  | "SizeMismatch"
  | "ManifestInvalid"
  | "ManifestTooLarge"
  | "IndexTooDeep"
  | "TooManyManifests"
  // Selection
  | "NoTagMatch"
  | "NoManifestMatch"
  | "AmbiguousManifest"
  | "NoLayerMatch"
  | "AmbiguousLayer"
  | "OffsetOutOfRange"
  // OCM component versions
  | "ComponentInvalid"
  | "NoResourceMatch"
  | "AmbiguousResource"
  | "AccessUnsupported"
  // Archives and operations
  | "NotAnArchive"
  | "ArchiveInvalid"
  | "ArchiveUnsupported"
  | "ArchiveUnsafePath"
  | "ArchiveTooLarge"
  | "ArchiveTooManyEntries"
  | "ArchiveRatioExceeded"
  | "PathConflict"
  | "EmptyResult"
  // Trust
  | "SecretNotFound"
  | "SecretInvalid"
  | "CloudAuthFailed"
  | "VerificationFailed"
  | "TooYoung"
  // Storage and publishing
  | "StorageFailed"
  | "PublishFailed"
  | "SigningFailed"
  | "NotOwned"
  | "CrdMissing"
  // Kubernetes
  | "KubeUnreachable"
  | "KubeConflict"
  | "KubeRejected"
  | "DependencyNotReady"
  | "AccessDenied"
  // The rest
  | "Aborted"
  | "Internal";

export interface CodedErrorOptions extends ErrorOptions {
  /** Not before this many milliseconds should the operation be tried again (from Retry-After). */
  retryAfterMs?: number;
  /** Machine-readable facts for `--output json`, such as the candidates of an ambiguous selection. */
  details?: Readonly<Record<string, unknown>>;
}

/** An error with a code, a cause and a message that names the digest or reference, never a credential. */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(code: ErrorCode, message: string, options: CodedErrorOptions = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.name = "CodedError";
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
    this.details = options.details;
  }
}

/** @param what such as `while reading a tar` @throws Aborted, `stopped while reading a tar`, where the signal is aborted */
export function stopIfAborted(signal: AbortSignal | undefined, what: string): void {
  if (signal?.aborted === true) throw stopped(what, signal.reason);
}

/** The error of work that was stopped. @param what such as `while reading a tar` @param cause the signal's reason */
export function stopped(what: string, cause: unknown): CodedError {
  return new CodedError("Aborted", `stopped ${what}`, { cause });
}

/** The code of `error`, or `Internal` for anything that is not a CodedError (an abort is `Aborted`). */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof CodedError) return error.code;
  return error instanceof Error && error.name === "AbortError" ? "Aborted" : "Internal";
}

/** A message for people out of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether an error of the file system has one of these codes, such as ENOENT. */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && typeof error.code === "string" && codes.includes(error.code);
}
