/** One thing that an ArtifactRepository does otherwise than the OCIRepository it was made from. */
export interface Difference {
  readonly id: string;
  readonly what: string;
  readonly flux: string;
  readonly strata: string;
  readonly why: string;
  /** What to write where Flux's way is wanted; absent where there is no such way. */
  readonly write?: string;
}

/**
 * Everything in which the two are known to differ: docs/migration.md shows it, `npm run parity` allows nothing else. Read
 * against source-controller 1.9.
 */
export const differences = [
  {
    id: "revision",
    what: "`status.artifact.revision`",
    flux: "the digest of the manifest",
    strata: "the digest of the content; the manifest's is in `status.upstream.digest`",
    why: "an edited selector is a new revision, a rebuilt index with the same files is none",
  },
  {
    id: "published",
    what: "the condition `Published`, `status.upstream`, `selected` and `published`",
    flux: "not there",
    strata: "there",
    why: "the result may go to several places",
  },
  {
    id: "stalls",
    what: "a failure that trying again cannot end: a layer that is not there, an archive that is refused, a range or pattern that cannot be read",
    flux: "`Reconciling`, tried again for ever",
    strata: "`Stalled` until the spec or upstream changes",
    why: "whoever waits for the object hears at once that it needs an edit",
  },
  {
    id: "stored-events",
    what: "events that only trace: `ArtifactUpToDate`, `GarbageCollectionSucceeded`, a second `AuthenticationFailed` of the type `Normal`",
    flux: "recorded",
    strata: "not recorded",
    why: "they tell nobody of anything new; metrics count the former",
  },
  {
    id: "empty",
    what: "an artifact without files, or with none left by the ignore rules",
    flux: "an empty tarball",
    strata: "`Stalled`; the last artifact stays",
    why: "a Kustomization with `prune: true` would delete all that it has applied",
  },
  {
    id: "layouts",
    what: "no `layerSelector.mediaType`, and a known layout: charts, Timoni modules, images, files by oras, …",
    flux: "the first layer, extracted",
    strata: "what the layout's own tool pulls, with all of its layers",
    why: "the first layer of such an artifact is rarely what is meant",
    write: "`layerSelector.mediaType`, or `layerSelector.operation: Extract` where there is one layer",
  },
  {
    id: "several-layers",
    what: "no `layerSelector.mediaType`, several layers, and no known layout",
    flux: "the first layer",
    strata: "`AmbiguousLayer`, with every layer and the line to add",
    why: "there is no silent guess",
    write: "`layerSelector.mediaType`, or an `offset` other than 0",
  },
  {
    id: "index",
    what: "an index",
    flux: "its first entry that is for linux/amd64 or names no platform, be it an attestation",
    strata:
      "its only manifest with content, else the one for linux/amd64; several of other kinds are `AmbiguousManifest`",
    why: "what is signed or described beside a manifest is not its content",
    write: "`indexSelector`, or `ref.digest` with the digest of the manifest",
  },
  {
    id: "chart-tags",
    what: "`ref.semver`, and tags of charts such as `1.1.0_build.5`, whose `_` stands for `+`",
    flux: "versions only with the media type of a chart in `layerSelector`",
    strata: "also without it, where no other tag matches",
    why: "a tag that can be nothing else is better than none",
  },
  {
    id: "file-types",
    what: "`layerSelector.mediaType` alone, and the type of a file such as `application/json`, or a layer that is not an archive",
    flux: "fails",
    strata: "the file",
    why: "it is what can be meant",
  },
  {
    id: "archive-forms",
    what: "a layer that is a plain tar, zstd or zip",
    flux: "fails",
    strata: "extracted",
    why: "the first bytes say what it is",
  },
  {
    id: "copied-files",
    what: "`operation: copy` of anything but a gzip-compressed tar",
    flux: "the bytes themselves, under the name of a tarball",
    strata: "a tarball with that one file",
    why: "consumers read tarballs",
  },
  {
    id: "hard-links",
    what: "hard links in a layer",
    flux: "empty files",
    strata: "copies of what they link to; a link to nothing is refused",
    why: "it is what was packed",
  },
  {
    id: "strict-archives",
    what: "broken archives, or names that climb, are absolute or hold a backslash",
    flux: "read as far as they go, or made safe in silence",
    strata: "refused with the name; `ignore` can leave a name with a backslash out",
    why: "two readers must not see different files",
  },
  {
    id: "special-files",
    what: "devices and FIFOs in a layer",
    flux: "fails",
    strata: "left out, and counted in `status.selected.skipped`",
    why: "the files beside them are of use",
  },
  {
    id: "modes",
    what: "modes",
    flux: "as in the layer",
    strata: "0644, and 0755 for directories and what is executable for its owner",
    why: "the same content is the same artifact",
  },
  {
    id: "plain-http",
    what: "plain HTTP to loopback and private hosts",
    flux: "also without `insecure`",
    strata: "with `insecure: true` alone",
    why: "credentials are never sent in the clear unasked",
    write: "`insecure: true`",
  },
  {
    id: "insecure-tls",
    what: "`insecure: true` and a certificate that is not trusted",
    flux: "not checked",
    strata: "refused; `insecure` is plain HTTP",
    why: "verification of certificates cannot be switched off",
    write: "`certSecretRef` with its `ca.crt`, and no `insecure`",
  },
  {
    id: "refused-syntax",
    what: "a URL with a tag or upper-case letters, a range or regular expression that cannot be read, and `insecure` beside `certSecretRef`",
    flux: "taken by the API server",
    strata: "refused by the API server, with what to write instead",
    why: "whoever applies it hears of it at once",
  },
  {
    id: "semver-filter-alone",
    what: "`ref.semverFilter` without `ref.semver`",
    flux: "ignored",
    strata: "refused; `strata migrate` leaves it out",
    why: "a filter that filters nothing deceives its author",
  },
  {
    id: "zero-timeout",
    what: "`timeout: 0s` with `verify`",
    flux: "every verification is out of time",
    strata: "no limit of the object's own: ten minutes",
    why: "nobody wants the former",
  },
  {
    id: "limits",
    what: "the size of things",
    flux: "no limits of its own",
    strata:
      "10,000 ignore patterns, 1 MiB of .sourceignore files, 1,024 parts of a path, 100,000 entries and the limits of the controller's flags",
    why: "everything from a registry may be hostile",
  },
  {
    id: "identities",
    what: "`verify.matchOIDCIdentity`",
    flux: "found anywhere in the identity",
    strata: "matched as a whole",
    why: "`github.com/org` is also in `evil.example/github.com/org`",
    write: "`.*` at the ends where anything may stand there",
  },
  {
    id: "attestations",
    what: "bundles that hold attestations and no signature",
    flux: "accepted by cosign's rules for attestations",
    strata: "refused",
    why: "who attests something need not vouch for the content",
    write: "sign the manifest itself",
  },
  {
    id: "revocation",
    what: "notation: servers that certificates above the one in the Secret name, and lists (CRL) of other distribution points",
    flux: "asked, and believed",
    strata: "not asked, and refused",
    why: "whoever shows a chain may have chosen what stands above the trusted certificate",
    write: "the root certificate in the Secret",
  },
] as const satisfies readonly Difference[];

export type DifferenceId = (typeof differences)[number]["id"];
