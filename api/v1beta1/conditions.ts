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

/** Reasons of success and progress; those of failure stand with their error codes in the controller. */
export const Reason = Object.freeze({
  Succeeded: "Succeeded",
  Progressing: "Progressing",
  ProgressingWithRetry: "ProgressingWithRetry",
  Suspended: "Suspended",
  NewRevision: "NewRevision",
  NewArtifact: "NewArtifact",
  ArtifactUpToDate: "ArtifactUpToDate",
  GarbageCollectionSucceeded: "GarbageCollectionSucceeded",
  GarbageCollectionFailed: "GarbageCollectionFailed",
} as const);
export type Reason = (typeof Reason)[keyof typeof Reason];
