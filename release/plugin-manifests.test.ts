import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bases } from "./bases.ts";
import { fluxManifest, krewManifest, platformOf, type Archive } from "./plugin-manifests.ts";

const files = bases.map(({ platform, format }) => `strata-${platform}${format === "PE" ? ".exe" : ""}`);
const archives = files.map((file, at): Archive => {
  const platform = platformOf(file);
  const of = (program: string) => ({
    name: `${program}_1.2.3_${platform.os}_${platform.arch}.tar.gz`,
    program: platform.os === "windows" ? `${program}.exe` : program,
    sha256: String(at).repeat(64),
  });
  return { ...platform, flux: of("flux-strata"), krew: of("kubectl-strata") };
});

describe("the plugin manifests", () => {
  it("name the platforms as Go does", () => {
    expect(files.map(platformOf).map(({ os, arch }) => `${os}/${arch}`)).toEqual([
      "linux/amd64",
      "linux/arm64",
      "darwin/amd64",
      "darwin/arm64",
      "windows/amd64",
    ]);
    for (const file of ["strata", "strata-linux-s390x", "strata-linux-x64.part"])
      expect(() => platformOf(file)).toThrow(file);
  });

  it("are an entry of Flux's catalogue", () => {
    const { versions, ...about } = parse(fluxManifest("1.2.3", archives)) as Record<string, unknown>;
    expect(about).toMatchObject({
      apiVersion: "cli.fluxcd.io/v1beta1",
      kind: "Plugin",
      name: "strata",
      bin: "flux-strata",
    });
    expect(versions).toEqual([
      {
        version: "1.2.3",
        platforms: archives.map(({ os, arch, flux }) => ({
          os,
          arch,
          url: `https://github.com/strata-dev/strata/releases/download/v1.2.3/${flux.name}`,
          checksum: `sha256:${flux.sha256}`,
        })),
      },
    ]);
  });

  it("are an entry of krew's index", () => {
    const { metadata, spec } = parse(krewManifest("1.2.3", archives)) as {
      metadata: unknown;
      spec: { version: string; shortDescription: string; platforms: readonly Record<string, unknown>[] };
    };
    expect(metadata).toEqual({ name: "strata" });
    expect(spec.version).toBe("v1.2.3");
    expect(spec.platforms.map(({ bin, sha256 }) => ({ bin, sha256 }))).toEqual(
      archives.map(({ krew }) => ({ bin: krew.program, sha256: krew.sha256 })),
    );
    expect(spec.platforms.map(({ selector }) => selector)).toEqual(
      archives.map(({ os, arch }) => ({ matchLabels: { os, arch } })),
    );
  });
});
