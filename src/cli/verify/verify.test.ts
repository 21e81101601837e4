import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { secrets } from "../../../api/kinds.ts";
import { DERIVATION_TYPE, type Derivation } from "../../../api/v1beta1/derivation.ts";
import { attest, sign } from "../../sign/attest.ts";
import { readSigningKey, type SigningKey } from "../../sign/signing-key.ts";
import { tarOf, type TarFields } from "../../testing/archives/tar.ts";
import { type CommandResult, runStrata } from "../../testing/command-io.ts";
import { conditionOf, startTestReconciler, type TestReconciler } from "../../testing/kube/reconciler.ts";
import { testRepository } from "../../testing/registry/client.ts";
import { startRegistry, type TestRegistry } from "../../testing/registry/registry.ts";
import {
  bundleType,
  dsseBundle,
  inTotoType,
  pae,
  signWith,
  statement,
} from "../../testing/signatures/cosign-signatures.ts";
import { SignedArtifact } from "../../testing/signatures/signed-artifact.ts";
import { TestSigstore } from "../../testing/signatures/sigstore.ts";

const { signal } = new AbortController();
const fixture = (name: string): string => new URL(`../../testing/fixtures/${name}`, import.meta.url).pathname;

let registry: TestRegistry;
let controller: TestReconciler;
let dir: string;
let key: SigningKey;
beforeAll(async () => {
  registry = await startRegistry({ fixtures: true });
  controller = await startTestReconciler();
  dir = await mkdtemp(join(tmpdir(), "strata-verify-test-"));
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await writeFile(join(dir, "signing.key"), pem);
  await writeFile(join(dir, "signing.pub"), publicKey.export({ type: "spki", format: "pem" }).toString());
  const other = generateKeyPairSync("ed25519").publicKey.export({ type: "spki", format: "pem" }).toString();
  await writeFile(join(dir, "other.pub"), other);
  key = await readSigningKey(join(dir, "signing.key"), undefined);
  const secret = { apiVersion: "v1", kind: "Secret", metadata: { namespace: "default", name: "signing" } };
  await controller.kube.create(
    secrets,
    { ...secret, data: { "cosign.key": Buffer.from(pem).toString("base64") } },
    signal,
  );
});
afterAll(async () => {
  await controller.close();
  await registry.close();
  await rm(dir, { recursive: true });
});

const run = async (path: string, ...args: string[]): Promise<CommandResult> =>
  await runStrata(["verify", `oci://${registry.host}/${path}`, "--insecure", ...args]);
const pub = (name: string): string => join(dir, `${name}.pub`);

/** Publishes what a spec makes of an upstream, signed, as the controller does. */
async function publish(name: string, spec: object): Promise<string> {
  const oci = { url: `oci://${registry.host}/signed-by-us/${name}`, insecure: true, tags: ["stable"] };
  await controller.apply(name, {
    insecure: true,
    interval: "10m",
    publish: { oci: { ...oci, sign: { secretRef: { name: "signing" } } } },
    ...spec,
  });
  await controller.reconcile(name);
  expect(conditionOf(await controller.get(name), "Ready")).toMatchObject({ status: "True" });
  return `signed-by-us/${name}:stable`;
}

describe("a derivation", () => {
  it.each<[string, () => object]>([
    ["extract", () => ({ url: `oci://${registry.host}/flux/app`, ref: { tag: "1.0.0" } })],
    ["chart", () => ({ url: `oci://${registry.host}/helm/chart`, ref: { semver: "x" } })],
    [
      "all",
      () => ({
        url: `oci://${registry.host}/oras/files`,
        ref: { tag: "1.0.0" },
        layerSelector: { operation: "ExtractAll" },
      }),
    ],
    [
      "renamed",
      () => ({
        url: `oci://${registry.host}/flux/app`,
        ref: { tag: "1.0.0" },
        layerSelector: { operation: "Copy", filename: "{tag}-{repository}.bin" },
      }),
    ],
  ])("of %s is followed back to upstream, and made again", async (name, spec) => {
    const reference = await publish(name, spec());
    const { code, stdout } = await run(reference, "--key", pub("signing"), "--derivation", "-o", "json");
    const found = JSON.parse(stdout) as { derivation: Derivation };
    expect(found).toMatchObject({
      verified: true,
      signature: { identity: expect.stringContaining("signing.pub") },
      derivation: { upstream: { url: (spec() as { url: string }).url } },
      rebuilt: { reproducible: true, contentDigest: found.derivation.contentDigest },
    });
    expect(code).toBe(0);
    const text = await run(reference, "--key", pub("signing"), "--derivation");
    expect(text).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified .*\n[^]*reproducible: upstream makes the same/),
    });
  });

  const files: readonly TarFields[] = [
    { name: "a.txt", content: "one" },
    { name: "b.sh", content: "two", mode: 0o755 },
  ];
  it.each<[string, readonly TarFields[], string | RegExp]>([
    ["another content", [{ name: "a.txt", content: "0ne" }, files[1]!], /^a\.txt has another content: sha256:/],
    [
      "another size",
      [{ name: "a.txt", content: "longer" }, files[1]!],
      "a.txt has 6 bytes in the pushed artifact, and 3 rebuilt",
    ],
    ["another mode", [files[0]!, { name: "b.sh", content: "two", mode: 0o644 }], "b.sh is executable only rebuilt"],
    ["a file more", [...files, { name: "c", content: "" }], "c is only in the pushed artifact"],
    ["a file less", [files[0]!], "b.sh is only in what was rebuilt"],
    [
      "another kind",
      [files[0]!, { name: "b.sh", type: "5" }],
      "b.sh is a dir in the pushed artifact, and a file rebuilt",
    ],
  ])(
    "that promises what upstream does not make is told by the first difference: %s",
    async (name, pushed, difference) => {
      const path = `lies/${name.replaceAll(" ", "-")}`;
      const derivation = await lie(path, files, pushed);
      const { code, stdout } = await run(`${path}:1`, "--key", pub("signing"), "--derivation", "-o", "json");
      const { rebuilt } = JSON.parse(stdout) as {
        rebuilt: { reproducible: boolean; difference: { path: string; what: string } };
      };
      expect(rebuilt.reproducible).toBe(false);
      const told = `${rebuilt.difference.path} ${rebuilt.difference.what}`;
      expect(told).toEqual(typeof difference === "string" ? difference : expect.stringMatching(difference));
      expect([code, derivation.selection.operation]).toEqual([4, "Extract"]);
    },
  );
});

/** Pushes `pushed`, and signs that it was extracted from an upstream that holds `upstream`. */
async function lie(path: string, upstream: readonly TarFields[], pushed: readonly TarFields[]): Promise<Derivation> {
  const mediaType = "application/vnd.cncf.flux.content.v1.tar+gzip";
  const layerOf = (entries: readonly TarFields[]) => ({ mediaType, bytes: gzipSync(tarOf(...entries)) });
  const source = registry.store.putArtifact(`${path}-upstream`, { tag: "1", layers: [layerOf(upstream)] });
  registry.store.putArtifact(path, { tag: "1", layers: [layerOf(pushed)] });
  const repository = testRepository(registry, path);
  const subject = await repository.resolve("1", signal, "read");
  const derivation: Derivation = {
    builder: { name: "strata", version: "1" },
    upstream: {
      url: `oci://${registry.host}/${path}-upstream`,
      tag: "1",
      digest: source.digest,
      mediaType: source.mediaType,
    },
    selection: { spec: {}, operation: "Extract", layerCount: 1, layers: [] },
    contentDigest: `sha256:${"0".repeat(64)}`,
  };
  const signable = { repository, subject, key, marks: {} };
  await sign(signable, signal);
  const claim = { predicateType: DERIVATION_TYPE, predicate: derivation, essence: (all: object) => all, most: 1 };
  await attest(signable, claim, signal);
  return derivation;
}

describe("an artifact", () => {
  it.each<[string, string, string[]]>([
    ["a bundle by a key", "signed/bundle:1.0.0", ["--key", fixture("cosign.pub")]],
    ["an older signature by a key", "signed/legacy:1.0.0", ["--key", fixture("cosign.pub")]],
    ["notation", "signed/notation-cose:1.0.0", ["--trust-policy", "POLICY", "--certificate", fixture("notation.crt")]],
    ["OCM", "fx/component-descriptors/fx.example/app:1.0.0", ["--ocm", "--key", fixture("ocm.pub")]],
    [
      "a name in OCM",
      "fx/component-descriptors/fx.example/app:1.0.0",
      ["--ocm", "--key", fixture("ocm.pub"), "--signature", "default"],
    ],
  ])("is verified by %s", async (_, path, flags) => {
    const policy = {
      name: "all",
      registryScopes: ["*"],
      signatureVerification: { level: "strict", override: { authenticTimestamp: "log" } },
      trustStores: ["ca:fixtures"],
      trustedIdentities: ["*"],
    };
    const file = join(dir, "trustpolicy.json");
    await writeFile(file, JSON.stringify({ version: "1.0", trustPolicies: [policy] }));
    const args = flags.map((flag) => (flag === "POLICY" ? file : flag));
    expect(await run(path, ...args)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified .*@sha256:.*\nsigned by /),
    });
  });

  it.each<[string, string, string[], RegExp]>([
    ["another key", "signed/bundle:1.0.0", ["--key", "OTHER"], /no good signature by the key/],
    ["no signature", "flux/app:1.0.0", ["--key", fixture("cosign.pub")], /no signature was found/],
    ["no derivation", "signed/bundle:1.0.0", ["--key", fixture("cosign.pub"), "--derivation"], /over a derivation/],
    [
      "another name in OCM",
      "fx/component-descriptors/fx.example/app:1.0.0",
      ["--ocm", "--key", fixture("ocm.pub"), "--signature", "x"],
      /under the name x/,
    ],
    ["nobody's time", "signed/bundle:1.0.0", ["--key", fixture("cosign.pub"), "--min-age", "1h"], /carries no time/],
  ])("with %s ends with 3, and says why", async (_, path, flags, message) => {
    const args = flags.map((flag) => (flag === "OTHER" ? pub("other") : flag));
    expect(await run(path, ...args)).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(message) });
    const { code, stdout } = await run(path, ...args, "-o", "json");
    expect([code, JSON.parse(stdout)]).toEqual([
      3,
      expect.objectContaining({ verified: false, error: expect.objectContaining({ code: "VerificationFailed" }) }),
    ]);
  });

  it.each<[string, string, string[]]>([
    ["does not exist", "flux/none:1.0.0", ["--key", fixture("cosign.pub")]],
    ["is to be judged by a key that is not there", "signed/bundle:1.0.0", ["--key", "none.pub"]],
  ])("that %s ends with 1", async (_, path, flags) => {
    expect(await run(path, ...flags)).toMatchObject({ code: 1, stderr: expect.stringContaining("error: ") });
  });

  it.each<[string[], RegExp]>([
    [[], /whose signature counts: write one of --key FILE/],
    [["--issuer", "a"], /--issuer and --subject go together/],
    [["--key", "a", "--issuer", "a", "--subject", "b"], /not --key with --issuer and --subject/],
    [["--certificate", "a"], /whose signature counts/],
    [["--key", "a", "--certificate", "b"], /--certificate does not go with --key/],
    [["--ocm"], /--ocm needs --key/],
    [["--key", "a", "--min-age", "3d"], /write a duration/],
    [["--key", "a", "--upstream", "b"], /write --derivation as well/],
    [["--issuer", "a", "--subject", "b", "--derivation"], /checked by --key/],
    [["--key", "a", "another"], /takes one reference/],
    [["--key", "a", "--output", "xml"], /write json or yaml/],
  ])("with the flags %j is a wrong command line", async (flags, message) => {
    expect(await run("signed/bundle:1.0.0", ...flags)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(message),
    });
  });
});

it.each<[string, string[], number, string]>([
  ["a key that is none", ["--key", "package.json"], 1, "--key: package.json holds no public key in PEM"],
  ["an issuer that is not an expression", ["--issuer", "(?=x)", "--subject", "x"], 2, '--issuer "(?=x)" is not an RE2'],
  ["a subject that is not an expression", ["--issuer", "x", "--subject", "("], 2, '--subject "(" is not an RE2'],
])("names the flag of %s", async (_, flags, code, words) => {
  const result = await runStrata(["verify", "oci://127.0.0.1:1/app:1", ...flags]);
  expect([result.code, result.stderr]).toEqual([code, expect.stringContaining(words)]);
});

describe("a keyless signature", () => {
  const logged = Date.parse("2025-03-01T12:01:00Z");
  const [subject, issuer] = ["https://ci.test/app/release", "https://issuer.test"];

  /** In a layout on disk: its reference, and the root that vouches for its signer. */
  async function signKeyless(name: string): Promise<{ reference: string; root: string }> {
    const layout = await mkdtemp(join(dir, name));
    const sigstore = new TestSigstore();
    const artifact = await SignedArtifact.create(layout);
    const payload = statement(artifact.root.digest);
    const leaf = sigstore.leaf({ subject, issuer, notBefore: new Date(logged - 60_000) });
    const signed = pae(inTotoType, payload);
    const signature = signWith(leaf.privateKey)(signed);
    const { entry } = sigstore.logEntry(signed, signature, leaf, { integratedTime: new Date(logged) });
    const certificate = { rawBytes: leaf.certificate.raw.toString("base64") };
    const material = { certificate, tlogEntries: [entry] };
    await artifact.refer(bundleType, [dsseBundle(payload, () => signature, { material })]);
    const root = join(layout, "trusted_root.json");
    await writeFile(root, sigstore.trustedRoot());
    return { reference: `oci-layout://${layout}:1.0.0`, root };
  }

  it.each<[string, string[], number]>([
    ["by the identity that is asked for", ["--issuer", "^https://issuer\\.test$", "--subject", ".*/release"], 0],
    ["by somebody else", ["--issuer", ".*", "--subject", "https://ci\\.test/other/.*"], 3],
    ["by an identity that matches in part alone", ["--issuer", "issuer", "--subject", ".*"], 3],
    ["old enough", ["--issuer", ".*", "--subject", ".*", "--min-age", "24h"], 0],
    ["too young", ["--issuer", ".*", "--subject", ".*", "--min-age", "999999h"], 3],
  ])("%s", async (_, flags, expected) => {
    const { reference, root } = await signKeyless("keyless-");
    const args = ["verify", reference, "--trusted-root", root, ...flags, "--output", "json"];
    const { code, stdout } = await runStrata(args);
    const good = {
      signature: { identity: `subject ${subject} by issuer ${issuer}`, signedAt: "2025-03-01T12:01:00.000Z" },
    };
    expect([code, JSON.parse(stdout)]).toMatchObject([expected, expected === 0 ? good : { verified: false }]);
  });
});
