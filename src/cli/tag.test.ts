import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runStrata } from "../testing/command-io.ts";
import { startRegistry, type TestRegistry } from "../testing/registry/registry.ts";

let registry: TestRegistry;
beforeEach(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterEach(async () => await registry.close());

describe("strata tag", () => {
  it("points aliases at what a tag names, without listing or downloading", async () => {
    const { digest } = registry.store.manifest("product", "1.0.0")!;
    const { code, stdout } = await runStrata([
      "tag",
      "--insecure",
      `oci://${registry.host}/product:1.0.0`,
      "stable",
      "production",
    ]);
    expect(code).toBe(0);
    expect(registry.store.manifest("product", "stable")?.digest).toBe(digest);
    expect(registry.store.manifest("product", "production")?.digest).toBe(digest);
    expect(stdout).toContain(digest);
    expect(registry.requests.filter(({ path }) => /tags\/list|blobs/.test(path))).toEqual([]);
  });

  it("writes only the aliases that move", async () => {
    const { digest } = registry.store.manifest("product", "1.0.0")!;
    const args = ["tag", "--insecure", "--output", "json", `oci://${registry.host}/product@${digest}`, "1.0.0", "new"];
    expect(JSON.parse((await runStrata(args)).stdout)).toEqual({
      repository: `${registry.host}/product`,
      digest,
      tags: ["1.0.0", "new"],
      moved: ["new"],
    });
    expect(JSON.parse((await runStrata(args)).stdout)).toMatchObject({ moved: [] });
    expect(registry.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  it("names manifests of an image layout", async () => {
    const dir = await mkdtemp(join(tmpdir(), "strata-tag-"));
    try {
      await runStrata(["copy", "--insecure", `oci://${registry.host}/product:1.0.0`, `oci-layout://${dir}`]);
      expect((await runStrata(["tag", `oci-layout://${dir}:1.0.0`, "stable"])).code).toBe(0);
      expect((await runStrata(["tag", `oci-layout://${dir}:stable`, "again"])).code).toBe(0);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it.each([[[]], [["oci://a.example/b"]], [["oci://a.example/b", "no:tag"]], [["oci://a.example/b", "x", "--force"]]])(
    "takes no %j",
    async (args) => {
      const { code, stderr } = await runStrata(["tag", ...args]);
      expect(code).toBe(2);
      expect(stderr).toContain("strata tag --help");
    },
  );

  it.each([
    ["what is not there", "product:9", "NotFound", 1],
    ["what is not a reference", "Product:9", "InvalidReference", 2],
  ])("fails for %s", async (_, name, expected, exitCode) => {
    const { code, stdout } = await runStrata([
      "tag",
      "--insecure",
      "--output=json",
      `oci://${registry.host}/${name}`,
      "x",
    ]);
    expect(code).toBe(exitCode);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: expected } });
  });

  it("does not trust a certificate that nobody vouches for, unless a file does", async () => {
    const secure = await startRegistry({ tls: {} });
    try {
      secure.store.putArtifact("app", { tag: "1" });
      const args = ["tag", `oci://${secure.host}/app:1`, "x", "--output", "json"];
      expect(JSON.parse((await runStrata(args)).stdout)).toMatchObject({ error: { code: "TlsFailed" } });
      const ca = new URL("../testing/fixtures/tls/ca.crt", import.meta.url).pathname;
      expect((await runStrata([...args, "--ca-file", ca])).code).toBe(0);
      expect(JSON.parse((await runStrata([...args, "--ca-file", `${ca}.none`])).stdout)).toMatchObject({
        error: { code: "TlsFailed" },
      });
    } finally {
      await secure.close();
    }
  });

  it("shows Docker's credentials", async () => {
    const dir = await mkdtemp(join(tmpdir(), "strata-docker-"));
    const guarded = await startRegistry({ auth: { kind: "token", accounts: { anna: { password: "secret" } } } });
    try {
      guarded.store.putArtifact("app", { tag: "1" });
      const auth = Buffer.from("anna:secret").toString("base64");
      await writeFile(join(dir, "config.json"), JSON.stringify({ auths: { [guarded.host]: { auth } } }));
      const args = ["tag", "--insecure", "--output", "json", `oci://${guarded.host}/app:1`, "x"];
      expect(JSON.parse((await runStrata(args)).stdout)).toMatchObject({ error: { code: "Unauthorized" } });
      expect((await runStrata(args, { env: { DOCKER_CONFIG: dir } })).code).toBe(0);
    } finally {
      await guarded.close();
      await rm(dir, { recursive: true });
    }
  });
});
