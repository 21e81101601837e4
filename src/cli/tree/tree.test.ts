import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { runStrata } from "../../testing/command-io.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../../testing/registry/registry.ts";
import { telling } from "./annotations.ts";

let registry: TestRegistry;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
});
afterAll(async () => await registry.close());

async function tree(reference: string, ...flags: readonly string[]): Promise<string> {
  const result = await runStrata(["tree", reference, "--insecure", ...flags]);
  expect(result).toMatchObject({ code: 0, stderr: "" });
  return result.stdout;
}

const at = (reference: string, server = registry): string => `oci://${server.host}/${reference}`;
const json = async (reference: string, ...flags: readonly string[]) =>
  JSON.parse(await tree(reference, "--output", "json", ...flags)) as Document;

interface Entry {
  kind: string;
  digest: string;
  artifactType?: string;
  platform?: string;
  layout?: string;
  selected?: boolean;
  manifests?: Entry[];
  layers?: { offset: number; title?: string; selected: boolean; size: number }[];
  referrers?: { meaning?: string; tag?: string; artifactType?: string }[];
  problem?: { code: string };
}
interface Document {
  reference: string;
  digest: string;
  tree: Entry;
  selection: { operation: string; layerCount: number; profile: string | null } | null;
  refusal: { code: string; suggestion?: object } | null;
  problems: string[];
}

describe("strata tree", () => {
  it("draws a nested index", async () => {
    const drawn = await tree(at("product:1.0.0"));
    expect(drawn.replaceAll(registry.host, "HOST").split("\n").slice(0, 30).join("\n")).toMatchInlineSnapshot(`
      "oci://HOST/product:1.0.0
      index  sha256:44a3aba06dfc  622 B
      ├─ product=fx
      ├─ index  sha256:9241473f236c  607 B
      │  ├─ manifest  sha256:23e6c1f72df2  application/vnd.oci.image.config.v1+json  linux/amd64  709 B  [image]
      │  │  ├─ config  application/vnd.oci.image.config.v1+json  461 B  sha256:8ce3d6f6223f
      │  │  ├─ layer 0  application/vnd.oci.image.layer.v1.tar+gzip  173 B  sha256:9ef5215c4a35
      │  │  ├─ layer 1  application/vnd.oci.image.layer.v1.tar+gzip  220 B  sha256:c5dd963687a4
      │  │  └─ layer 2  application/vnd.oci.image.layer.v1.tar+gzip  188 B  sha256:36b03cbda529
      │  └─ manifest  sha256:876e4e7b953b  application/vnd.oci.image.config.v1+json  linux/arm64  709 B  [image]
      │     ├─ config  application/vnd.oci.image.config.v1+json  461 B  sha256:b904c5034610
      │     ├─ layer 0  application/vnd.oci.image.layer.v1.tar+gzip  173 B  sha256:9ef5215c4a35
      │     ├─ layer 1  application/vnd.oci.image.layer.v1.tar+gzip  220 B  sha256:c5dd963687a4
      │     └─ layer 2  application/vnd.oci.image.layer.v1.tar+gzip  188 B  sha256:3a78680b98b9
      ├─ manifest  sha256:275fe6a098ad  application/vnd.example.config.v1  743 B  [oras]
      │  ├─ role=config
      │  ├─ config  application/vnd.oci.empty.v1+json  2 B  sha256:44136fa355b3
      │  └─ layer 0  dir  application/vnd.oci.image.layer.v1.tar+gzip  186 B  sha256:c4fb31d531c8
      │     └─ io.deis.oras.content.unpack=true
      └─ index  sha256:5dd21d651e00  393 B
         ├─ manifest  sha256:0f0a316e7eeb  application/vnd.timoni.config.v1+json  716 B  [timoni]
         │  ├─ version=1.0.0
         │  ├─ config  application/vnd.timoni.config.v1+json  115 B  sha256:5b943e2b943f
         │  ├─ layer 0  application/vnd.timoni.content.v1.tar+gzip  286 B  sha256:61eb94338649
         │  │  └─ sh.timoni.content.type=module/vendor
         │  └─ layer 1  application/vnd.timoni.content.v1.tar+gzip  593 B  sha256:edd6f7773a78
         │     └─ sh.timoni.content.type=module
         └─ manifest  sha256:12b1a20ca2d3  application/vnd.cncf.flux.config.v1+json  630 B  [flux]
            ├─ config  application/vnd.cncf.flux.config.v1+json  115 B  sha256:5b943e2b943f
            └─ layer 0  application/vnd.cncf.flux.content.v1.tar+gzip  349 B  sha256:0f62f54b3f74"
    `);
  });

  it("marks what is taken and says why", async () => {
    const drawn = await tree(at("helm/chart:0.1.0"));
    expect(drawn.split("\n").filter((line) => /^\W*\* /.test(line))).toEqual([
      expect.stringContaining("* manifest"),
      expect.stringContaining("* layer 1  application/vnd.cncf.helm.chart.content"),
      "* taken without any selector: 1 layer, Copy, because its layout is helm",
    ]);
  });

  it("shows the lines that an ambiguous artifact needs", async () => {
    const drawn = await tree(at("product:1.0.0"));
    const lines = drawn.slice(drawn.indexOf("A spec could say\n") + "A spec could say\n".length);
    expect(parse(lines)).toEqual({ indexSelector: { artifactType: "application/vnd.example.config.v1" } });
  });

  it("prints one object for programs", async () => {
    const { tree: root, selection, refusal, problems, digest, reference } = await json(at("image:1.0.0"));
    expect(root).toMatchObject({
      kind: "index",
      digest,
      manifests: [
        { kind: "manifest", platform: "linux/amd64", selected: true },
        { platform: "linux/arm64", selected: false },
      ],
    });
    expect(root.manifests?.[0]?.layers?.map(({ offset, selected }) => [offset, selected])).toEqual([
      [0, true],
      [1, true],
      [2, true],
    ]);
    expect({ selection, refusal, problems, reference }).toEqual({
      selection: {
        operation: "ExtractAll",
        layout: "Merge",
        profile: "image",
        note: expect.stringContaining("linux/amd64"),
        layerCount: 3,
      },
      refusal: null,
      problems: [],
      reference: at("image:1.0.0"),
    });
    expect(parse(await tree(at("image:1.0.0"), "--output", "yaml"))).toEqual(await json(at("image:1.0.0")));
  });

  it("gives programs the suggestion of an ambiguous artifact", async () => {
    const { selection, refusal } = await json(at("twin:1.0.0"));
    expect(selection).toBeNull();
    expect(refusal).toMatchObject({
      code: "AmbiguousManifest",
      suggestion: { ref: { digest: expect.stringMatching(/^sha256:/) } },
    });
  });

  it("reads an image layout, by digest too", async () => {
    const dir = fileURLToPath(new URL("../../testing/fixtures/oci/product", import.meta.url));
    const { tree: root, digest } = await json(`oci-layout://${dir}:1.0.0`);
    expect(root.manifests?.map(({ kind }) => kind)).toEqual(["index", "manifest", "index"]);
    expect((await json(`oci-layout://${dir}@${digest}`)).tree).toEqual(root);
  });

  it.each([
    ["no reference", []],
    ["two references", ["a/b", "c/d"]],
    ["another format", ["a/b", "--output", "xml"]],
    ["an unknown flag", ["a/b", "--colour"]],
  ])("is a usage error with %s", async (_, args) => {
    expect((await runStrata(["tree", ...args])).code).toBe(2);
  });

  it("fails with the registry's answer where the reference names nothing", async () => {
    const { code, stdout } = await runStrata(["tree", at("product:nothing"), "--insecure", "--output", "json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "NotFound" } });
  });
});

/** Longer than anybody waits. */
const retryLater = { "retry-after": "600" };

describe("referrers", () => {
  async function withServer(options: RegistryOptions, use: (server: TestRegistry) => Promise<void>): Promise<void> {
    await using server = await startRegistry({ fixtures: true, ...options });
    await use(server);
  }

  it.each([
    ["signed/bundle", ["Sigstore bundle"]],
    ["signed/index", ["Sigstore bundle"]],
    ["signed/legacy", ["cosign signature"]],
    ["signed/notation-jws", ["Notation signature"]],
    ["flux/app", []],
  ])("of %s are %j", async (repository, meanings) => {
    const { tree: root, problems } = await json(at(`${repository}:1.0.0`));
    expect(root.referrers?.map(({ meaning }) => meaning)).toEqual(meanings);
    expect(problems).toEqual([]);
  });

  it("come from the fallback tag where the registry has no referrers API", async () => {
    await withServer({ referrers: false }, async (server) => {
      const subject = server.store.manifest("signed/bundle", "1.0.0")!;
      const referrers = server.store.referrers("signed/bundle", subject.digest);
      server.store.putIndex("signed/bundle", referrers, { tag: subject.digest.replace(":", "-") });
      const { tree: root, problems } = await json(at("signed/bundle:1.0.0", server));
      expect(root.referrers).toMatchObject([{ meaning: "Sigstore bundle" }]);
      expect(problems).toEqual([]);
    });
  });

  it("are looked for at every manifest and index", async () => {
    await withServer({}, async (server) => {
      const { digest } = server.store.manifest("product", "cfg")!;
      server.store.putArtifact("product", {
        artifactType: "application/spdx+json",
        subject: { digest, mediaType: "application/vnd.oci.image.manifest.v1+json", size: 743 },
      });
      const { tree: root } = await json(at("product:1.0.0", server));
      expect(root.manifests?.find((entry) => entry.digest === digest)?.referrers).toMatchObject([
        { meaning: "SBOM (SPDX)", artifactType: "application/spdx+json" },
      ]);
    });
  });

  it("that cannot be looked up are a sentence below the tree", async () => {
    await withServer({}, async (server) => {
      server.faults.add({
        path: /\/(referrers|manifests)\/sha256[-:]\w+(\?|$)/,
        status: 429,
        headers: retryLater,
        times: 1000,
      });
      expect((await json(at("product:1.0.0", server))).problems).toEqual([
        expect.stringContaining("Not every signature"),
      ]);
      expect(await tree(at("product:1.0.0", server))).toContain("Not every signature");
    });
  });

  it("are given up after some failures", async () => {
    await withServer({}, async (server) => {
      const child = (name: string) =>
        server.store.putArtifact("many", { layers: [{ mediaType: "text/plain", bytes: Buffer.from(name) }] });
      server.store.putIndex(
        "many",
        Array.from({ length: 60 }, (_, at) => child(String(at))),
        { tag: "1" },
      );
      server.faults.add({
        path: /\/(referrers|manifests)\/sha256[-:]\w+(\?|$)/,
        status: 429,
        headers: retryLater,
        times: 1000,
      });
      await json(at("many:1", server));
      expect(server.requests.filter(({ path }) => path.includes("/referrers/")).length).toBeLessThan(20);
    });
  });

  it("of a hundred manifests are enough to ask for", async () => {
    await withServer({}, async (server) => {
      const child = (name: string) =>
        server.store.putArtifact("many", { layers: [{ mediaType: "text/plain", bytes: Buffer.from(name) }] });
      server.store.putIndex(
        "many",
        Array.from({ length: 120 }, (_, at) => child(String(at))),
        { tag: "1" },
      );
      expect((await json(at("many:1", server))).problems).toEqual([
        "Signatures and SBOMs of 21 more manifests were not looked for.",
      ]);
      expect(server.requests.filter(({ path }) => path.includes("/referrers/"))).toHaveLength(100);
    });
  });

  it("are left alone with --no-referrers", async () => {
    await withServer({}, async (server) => {
      await json(at("signed/legacy:1.0.0", server), "--no-referrers");
      expect(server.requests.filter(({ path }) => /referrers|\.(?:sig|att|sbom)$/.test(path))).toEqual([]);
    });
  });
});

describe("what a registry says", () => {
  it("cannot move the cursor, break the tree or fill the screen", async () => {
    const annotations = { "org.opencontainers.image.title": "a\u001b[2J\u202eb\nlayer 9", "x.role": "r".repeat(5000) };
    registry.store.putArtifact("hostile", {
      tag: "1",
      layers: [{ mediaType: "text/\u001b]0;x\u0007plain", bytes: Buffer.from("x"), annotations }],
      annotations,
    });
    const drawn = await tree(at("hostile:1"));
    expect(drawn).not.toMatch(/[^\P{Cc}\n]|\p{Cf}/u);
    expect(drawn).toContain(String.raw`a\u{1b}[2J\u{202e}b\u{a}layer 9`);
    expect(
      Math.max(
        ...drawn
          .split("\n")
          .slice(1, -3)
          .map((line) => line.length),
      ),
    ).toBeLessThan(400);
  });

  it("is counted where it would not end", async () => {
    const layers = Array.from({ length: 200 }, (_, at) => ({
      mediaType: "text/plain",
      bytes: Buffer.from(String(at)),
    }));
    registry.store.putArtifact("long", { tag: "1", layers });
    const drawn = await tree(at("long:1"));
    expect(drawn.match(/layer \d+ /g)).toHaveLength(60);
    expect(drawn).toContain("└─ and 140 more");
    expect((await json(at("long:1"))).tree.layers).toHaveLength(200);
  });

  it("is shown by its telling annotations", () => {
    const long = "v".repeat(100);
    expect(
      telling({
        "org.opencontainers.image.created": "now",
        zebra: "1",
        "x.role": long,
        "org.opencontainers.image.version": "2",
        "org.opencontainers.image.title": "t",
        apple: "1",
        "dev.sigstore.bundle.content": "x",
      }),
    ).toEqual([
      ["title", "t"],
      ["version", "2"],
      ["x.role", `${"v".repeat(60)}…`],
      ["zebra", "1"],
    ]);
    expect(telling(undefined)).toEqual([]);
  });
});
