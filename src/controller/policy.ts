import { codeOf, messageOf, type ErrorCode } from "../errors.ts";

/**
 * What a failure means for the object. `retry`: try again with back-off. `stall`: wait for an edit or for upstream
 * to move. `wait`: something else has to appear first; try again after `--requeue-dependency`.
 */
export interface FailurePolicy {
  readonly condition: "FetchFailed" | "StorageOperationFailed" | "SourceVerified" | "Published";
  readonly reason: string;
  readonly next: "retry" | "stall" | "wait";
  /** The message begins with the code, which says more than Flux's reason. */
  readonly isNamed?: true;
}

/** What a reconcile was at where that decides, as in Flux, what a failure is called. */
export type FailingStage =
  /** Choosing a tag from the list of them. */
  | "choosing"
  /** Reading the keys and identities of `spec.verify`. */
  | "trust";

const pull = { condition: "FetchFailed", reason: "OCIArtifactPullFailed", next: "retry" } as const;
const auth = { condition: "FetchFailed", reason: "AuthenticationFailed", next: "retry" } as const;
const content = { condition: "FetchFailed", reason: "OCIArtifactLayerOperationFailed", next: "stall" } as const;
const spec = (reason: string): FailurePolicy => ({ condition: "FetchFailed", reason, next: "stall" });
const publish = (reason: string, next: FailurePolicy["next"]): FailurePolicy => ({
  condition: "Published",
  reason,
  next,
});

/** One row for every code: a code without a row does not compile. Reasons are Flux's where Flux has one. */
export const failurePolicies = {
  InvalidReference: spec("URLInvalid"),
  InvalidDigest: spec("URLInvalid"),
  InvalidSpec: spec("InvalidSpec"),
  InvalidTemplate: spec("InvalidTemplate"),
  // The patterns of spec.ignore; others are named by where they stand, see `stageReasons`.
  InvalidPattern: spec("InvalidPattern"),

  RegistryUnreachable: pull,
  RegistryTimeout: pull,
  RegistryUnavailable: pull,
  RegistryResponseInvalid: pull,
  RegistryUnsupported: pull,
  RateLimited: pull,
  Unauthorized: { ...pull, isNamed: true },
  Forbidden: { ...pull, isNamed: true },
  NotFound: pull,
  TlsFailed: { ...pull, isNamed: true },
  EndpointRefused: spec("URLInvalid"),

  // A registry or a proxy on the way may have sent garbage once; the bytes are asked for again.
  DigestMismatch: pull,
  SizeMismatch: pull,
  ManifestInvalid: content,
  ManifestTooLarge: content,
  IndexTooDeep: content,
  TooManyManifests: content,

  NoTagMatch: { ...pull, reason: "ReadOperationFailed", isNamed: true },
  NoManifestMatch: { ...spec("OCIArtifactPullFailed"), isNamed: true },
  AmbiguousManifest: spec("AmbiguousManifest"),
  NoLayerMatch: { ...content, isNamed: true },
  AmbiguousLayer: spec("AmbiguousLayer"),
  OffsetOutOfRange: spec("OffsetOutOfRange"),

  ComponentInvalid: spec("ComponentInvalid"),
  NoResourceMatch: spec("NoResourceMatch"),
  AmbiguousResource: spec("AmbiguousResource"),
  AccessUnsupported: spec("AccessUnsupported"),

  NotAnArchive: content,
  ArchiveInvalid: content,
  ArchiveUnsupported: content,
  ArchiveUnsafePath: content,
  ArchiveTooLarge: content,
  ArchiveTooManyEntries: content,
  ArchiveRatioExceeded: content,
  PathConflict: content,
  EmptyResult: content,

  SecretNotFound: { ...auth, next: "wait" },
  SecretInvalid: { ...auth, next: "wait" },
  CloudAuthFailed: auth,
  VerificationFailed: { condition: "SourceVerified", reason: "VerificationError", next: "retry" },
  TooYoung: { condition: "SourceVerified", reason: "TooYoung", next: "wait" },

  StorageFailed: { condition: "StorageOperationFailed", reason: "ArchiveOperationFailed", next: "retry" },
  PublishFailed: publish("PublishFailed", "retry"),
  SigningFailed: publish("SigningFailed", "wait"),
  NotOwned: publish("NotOwned", "wait"),
  CrdMissing: publish("CRDMissing", "wait"),

  KubeUnreachable: publish("PatchOperationFailed", "retry"),
  KubeConflict: publish("PatchOperationFailed", "retry"),
  KubeRejected: publish("PatchOperationFailed", "retry"),
  AccessDenied: publish("AccessDenied", "retry"),
  DependencyNotReady: { condition: "FetchFailed", reason: "DependencyNotReady", next: "wait" },

  Aborted: pull,
  Internal: { condition: "FetchFailed", reason: "Failed", next: "retry" },
} as const satisfies Record<ErrorCode, FailurePolicy>;

/** What Flux calls a failure by where it happens. */
const stageReasons = {
  choosing: { of: ["OCIArtifactPullFailed", "InvalidPattern", "InvalidSpec"], as: { reason: "ReadOperationFailed" } },
  trust: {
    of: ["AuthenticationFailed", "InvalidPattern", "InvalidSpec"],
    as: { condition: "SourceVerified", reason: "VerificationError" },
  },
} as const satisfies Record<FailingStage, { of: readonly string[]; as: Partial<FailurePolicy> }>;

/** What is to be done about an error, and its message for conditions and events. */
export interface Verdict extends FailurePolicy {
  readonly code: ErrorCode;
  readonly message: string;
}

export function judge(error: unknown, stage?: FailingStage): Verdict {
  const code = codeOf(error);
  const usual: FailurePolicy = failurePolicies[code];
  const there = stage && stageReasons[stage];
  const isRenamed = there?.of.some((reason) => reason === usual.reason) === true;
  const policy: FailurePolicy = isRenamed ? { ...usual, ...there?.as, isNamed: true } : usual;
  return { ...policy, code, message: policy.isNamed ? `${code}: ${messageOf(error)}` : messageOf(error) };
}
