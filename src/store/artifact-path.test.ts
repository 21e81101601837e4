import { describe, expect, test } from "vitest";
import { artifactFile, digestOfFile, ownerDirectory, ownerOfDirectory, parseArtifactPath } from "./artifact-path.ts";

const hex = "a".repeat(64);

describe("the directory of an owner", () => {
  test.each([
    ["ArtifactRepository", "apps", "podinfo", "artifactrepository/apps/podinfo"],
    ["ArtifactRepository", "a", "1", "artifactrepository/a/1"],
    ["ArtifactRepository", "flux-system", "podinfo.v1.prod", "artifactrepository/flux-system/podinfo.v1.prod"],
    [
      "OCIRepository",
      "n",
      `${"a".repeat(63)}.${"b".repeat(63)}`,
      `ocirepository/n/${"a".repeat(63)}.${"b".repeat(63)}`,
    ],
  ])("%s %s/%s", (kind, namespace, name, expected) => {
    const directory = ownerDirectory({ kind, namespace, name });
    expect(directory).toBe(expected);
    expect(ownerOfDirectory(directory)).toEqual({ kind: kind.toLowerCase(), namespace, name });
  });

  test.each([
    ["ArtifactRepository", "apps", ".."],
    ["ArtifactRepository", "..", "podinfo"],
    ["..", "apps", "podinfo"],
    ["ArtifactRepository", "apps", "a/b"],
    ["ArtifactRepository", "apps", "a\0"],
    ["ArtifactRepository", "apps", "a\n"],
    ["ArtifactRepository", "apps", ""],
    ["ArtifactRepository", "", "a"],
    ["", "apps", "a"],
    ["ArtifactRepository", "apps", "a..b"],
    ["ArtifactRepository", "apps", "-a"],
    ["ArtifactRepository", "apps", "a-"],
    ["ArtifactRepository", "apps", ".hidden"],
    ["ArtifactRepository", "apps", "Upper"],
    ["ArtifactRepository", "apps.v1", "a"],
    ["ArtifactRepository", "apps", "a".repeat(64)],
    ["ArtifactRepository", "a".repeat(64), "a"],
    ["ArtifactRepository", "apps", Array(128).fill("ab").join(".")],
    ["Artifact/Repository", "apps", "a"],
  ])("is refused for %j %j %j", (kind, namespace, name) => {
    expect(() => ownerDirectory({ kind, namespace, name })).toThrow(expect.objectContaining({ code: "InvalidSpec" }));
  });
});

describe("a path from outside", () => {
  test("names an artifact by its digest, or the latest one", () => {
    const owner = { kind: "artifactrepository", namespace: "apps", name: "podinfo" };
    expect(parseArtifactPath(`artifactrepository/apps/podinfo/${hex}.tar.gz`)).toEqual({
      owner,
      directory: "artifactrepository/apps/podinfo",
      file: `${hex}.tar.gz`,
    });
    expect(parseArtifactPath("artifactrepository/apps/podinfo/latest.tar.gz")?.file).toBe("latest.tar.gz");
  });

  test.each([
    "",
    "/",
    "latest.tar.gz",
    "apps/podinfo/latest.tar.gz",
    "artifactrepository/apps/podinfo",
    "artifactrepository/apps/podinfo/",
    "artifactrepository/apps/podinfo/state.json",
    "artifactrepository/apps/podinfo/.latest.tar.gz.0123456789abcdef.tmp",
    "artifactrepository/apps/podinfo/x/latest.tar.gz",
    "ArtifactRepository/apps/podinfo/latest.tar.gz",
    "artifactrepository/../podinfo/latest.tar.gz",
    "artifactrepository//podinfo/latest.tar.gz",
    "/artifactrepository/apps/podinfo/latest.tar.gz",
    `artifactrepository/apps/podinfo/${hex.slice(1)}.tar.gz`,
    `artifactrepository/apps/podinfo/${hex.toUpperCase()}.tar.gz`,
  ])("is refused: %j", (path) => {
    expect(parseArtifactPath(path)).toBeUndefined();
  });

  test.each([`sha256:${hex}`, `sha512:${hex}${hex}`] as const)("leads back to the digest: %s", (digest) => {
    expect(digestOfFile(artifactFile(digest))).toBe(digest);
  });
});
