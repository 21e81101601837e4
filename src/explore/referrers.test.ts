import { describe, expect, it } from "vitest";
import { CodedError, codeOf } from "../errors.ts";
import type { Descriptor, Digest } from "../oci/types.ts";
import { MemoryRepository } from "../testing/registry/memory-repository.ts";
import { findReferrers, meaningOf } from "./referrers.ts";

const never = new AbortController().signal;
const descriptor = (artifactType?: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  digest: `sha256:${"0".repeat(64)}`,
  size: 1,
  ...(artifactType !== undefined && { artifactType }),
});

describe("referrers", () => {
  it.each([
    ["application/vnd.dev.sigstore.bundle.v0.3+json", "Sigstore bundle"],
    ["application/vnd.dev.cosign.artifact.sig.v1+json", "cosign signature"],
    ["application/vnd.cncf.notary.signature", "Notation signature"],
    ["application/spdx+json", "SBOM (SPDX)"],
    ["application/vnd.cyclonedx+xml", "SBOM (CycloneDX)"],
    ["application/sarif+json", "scan result"],
    ["application/vnd.in-toto+json", "attestation"],
    ["application/vnd.example", undefined],
    [undefined, undefined],
  ])("of type %s are: %s", (artifactType, meaning) => {
    expect(meaningOf({ descriptor: descriptor(artifactType) })).toBe(meaning);
  });

  it("are found by cosign's tags beside those of the API", async () => {
    const repository = new MemoryRepository();
    const config = repository.blob("{}");
    const subject = repository.manifest({ config, layers: [] });
    const listed = repository.manifest({ config, layers: [], subject, artifactType: "application/spdx+json" });
    for (const suffix of ["sig", "att", "sbom"])
      repository.manifest(
        { config, layers: [], annotations: { suffix } },
        `${subject.digest.replace(":", "-")}.${suffix}`,
      );
    const { bySubject, problems } = await findReferrers(repository, [subject.digest, listed.digest], never);
    expect([...bySubject.keys()]).toEqual([subject.digest]);
    expect(bySubject.get(subject.digest)?.map(meaningOf)).toEqual([
      "SBOM (SPDX)",
      "cosign signature",
      "cosign attestation",
      "cosign SBOM",
    ]);
    expect(problems).toEqual([]);
  });

  it("of a sha512 digest have no tags, which would be too long", async () => {
    const repository = new MemoryRepository();
    const asked: string[] = [];
    repository.resolve = async (reference) => {
      asked.push(reference);
      return await Promise.reject(new CodedError("NotFound", reference));
    };
    await findReferrers(repository, [`sha512:${"0".repeat(128)}`], never);
    expect(asked).toEqual([]);
  });

  it("end with the signal, and are kept where only some fail", async () => {
    const repository = new MemoryRepository();
    const config = repository.blob("{}");
    const [good, bad] = ["good", "bad"].map((name) =>
      repository.manifest({ config, layers: [], annotations: { name } }),
    ) as [Descriptor, Descriptor];
    repository.manifest({ config, layers: [], subject: good });
    const referrers = repository.referrers.bind(repository);
    const abort = new AbortController();
    repository.referrers = async (subject: Digest) => {
      if (subject === bad.digest) throw new CodedError("Forbidden", "no");
      return await referrers(subject);
    };
    const { bySubject, problems } = await findReferrers(repository, [bad.digest, good.digest], never);
    expect([...bySubject.keys()]).toEqual([good.digest]);
    expect(problems).toEqual([expect.stringContaining("Forbidden")]);
    abort.abort();
    expect(await findReferrers(repository, [bad.digest], abort.signal).then(() => "none", codeOf)).toBe("Aborted");
  });
});
