import { expect, it } from "vitest";
import { UPSTREAM_DIGEST_ANNOTATION } from "../../api/v1beta1/constants.ts";
import type { ArtifactRepositoryStatus } from "../../api/v1beta1/status.ts";
import { sha256Of } from "../oci/digest.ts";
import type { Resolved } from "../pipeline/resolve.ts";
import type { Artifact } from "../store/store.ts";
import { reasonToBuild } from "./stored.ts";

const root = sha256Of("root");
const content = sha256Of("content");
const stored = (revision: string, upstream: string = root): Artifact => ({
  path: "p",
  url: "http://s/p",
  revision,
  digest: content,
  size: 1,
  lastUpdateTime: "2026-01-01T00:00:00Z",
  metadata: { [UPSTREAM_DIGEST_ANNOTATION]: upstream },
});
const good = stored(`1.0.0@${content}`);
const status = (checksum = "c"): ArtifactRepositoryStatus => ({
  artifact: good,
  observedContentConfigChecksum: checksum,
});
const resolved = (tag: string | undefined, digest = root): Resolved => ({
  tag,
  root: { mediaType: "m", digest, size: 1 },
});

it.each<[string, Artifact | undefined, ArtifactRepositoryStatus, Resolved | undefined, RegExp | undefined]>([
  ["nothing was ever published", undefined, {}, resolved("1.0.0"), /nothing is published/],
  ["the file is gone", undefined, status(), resolved("1.0.0"), /file is missing/],
  ["upstream moved", good, status(), resolved("1.0.0", sha256Of("other")), /upstream is now sha256:/],
  ["the same digest has another tag", good, status(), resolved("1.0.1"), /tag is now 1\.0\.1/],
  ["a digest is asked for instead of its tag", good, status(), resolved(undefined), /tag is now none/],
  ["the spec selects something else", good, status("d"), resolved("1.0.0"), /selects something else/],
  ["upstream is not known yet, and the spec changed", good, status("d"), undefined, /selects something else/],
  ["upstream is not known yet", good, status(), undefined, undefined],
  ["nothing changed", good, status(), resolved("1.0.0"), undefined],
  ["nothing changed, by digest", stored(content), status(), resolved(undefined), undefined],
])("is there a reason to build where %s?", (_, artifact, before, upstream, expected) => {
  const reason = reasonToBuild(artifact, before, upstream, "c");
  if (expected === undefined) expect(reason).toBeUndefined();
  else expect(reason).toMatch(expected);
});
