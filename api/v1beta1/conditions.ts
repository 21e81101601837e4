/**
 * Condition types and reasons. Those that source-controller has keep its names, so that dashboards, alerts and
 * `flux get` read an ArtifactRepository as they read an OCIRepository.
 */

export const ConditionType = Object.freeze({
  Ready: "Ready",
  Reconciling: "Reconciling",
  Stalled: "Stalled",
  FetchFailed: "FetchFailed",
  StorageOperationFailed: "StorageOperationFailed",
  ArtifactOutdated: "ArtifactOutdated",
  ArtifactInStorage: "ArtifactInStorage",
  SourceVerified: "SourceVerified",
  Published: "Published",
} as const);
export type ConditionType = (typeof ConditionType)[keyof typeof ConditionType];

export const Reason = Object.freeze({
  // As in Flux
  Succeeded: "Succeeded",
  Failed: "Failed",
  Progressing: "Progressing",
  ProgressingWithRetry: "ProgressingWithRetry",
  Suspended: "Suspended",
  AccessDenied: "AccessDenied",
  DependencyNotReady: "DependencyNotReady",
  ReconciliationFailed: "ReconciliationFailed",
  NewRevision: "NewRevision",
  ArtifactUpToDate: "ArtifactUpToDate",
  GarbageCollectionSucceeded: "GarbageCollectionSucceeded",
  GarbageCollectionFailed: "GarbageCollectionFailed",
  URLInvalid: "URLInvalid",
  AuthenticationFailed: "AuthenticationFailed",
  VerificationError: "VerificationError",
  OCIPullFailed: "OCIArtifactPullFailed",
  OCILayerOperationFailed: "OCIArtifactLayerOperationFailed",
  SymlinkUpdateFailed: "SymlinkUpdateFailed",
  DirCreationFailed: "DirectoryCreationFailed",
  StatOperationFailed: "StatOperationFailed",
  ReadOperationFailed: "ReadOperationFailed",
  AcquireLockFailed: "AcquireLockFailed",
  ArchiveOperationFailed: "ArchiveOperationFailed",
  CacheOperationFailed: "CacheOperationFailed",
  PatchOperationFailed: "PatchOperationFailed",
  InvalidSTSConfiguration: "InvalidSTSConfiguration",
  InvalidProviderConfiguration: "InvalidProviderConfiguration",
  // Only here
  InvalidSpec: "InvalidSpec",
  SelectionFailed: "SelectionFailed",
  AmbiguousSelection: "AmbiguousSelection",
  StorageFailed: "StorageFailed",
  PublishFailed: "PublishFailed",
  NotOwned: "NotOwned",
  CrdMissing: "CrdMissing",
} as const);
export type Reason = (typeof Reason)[keyof typeof Reason];
