import { execFile } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { findBinary } from "./binaries.ts";
import { startCluster } from "./cluster.ts";
import type { ControlPlane } from "./controlplane.ts";
import { crane, digestOfTag } from "./crane.ts";
import { startSourceController } from "./flux.ts";
import { isReady, type KubeObject } from "./kube.ts";
import { type Registry } from "./registry.ts";
import {
  artifactRepository,
  isCondition,
  namespace,
  ociRepositoryRef,
  readyRepository,
  reconcileNow,
  repositoryRef,
  type Spec,
} from "./repositories.ts";
import { secret } from "./secrets.ts";
import { startStrata, strata, type Strata } from "./strata.ts";
import { openWorkspace } from "./workspace.ts";

const workspace = await openWorkspace();
const run = promisify(execFile);
const password = "correct horse";
const derivationType = "https://source.strata.dev/derivation/v1";

let plane: ControlPlane;
let registry: Registry;
let controller: Strata;
/** Where the key pairs lie: the one of cosign, and one for each kind in PEM. */
let keys: string;

async function cosign(...args: readonly string[]): Promise<string> {
  const { stdout } = await run(await findBinary("cosign"), args, {
    cwd: keys,
    env: { PATH: process.env["PATH"], HOME: keys, COSIGN_PASSWORD: password },
    timeout: 60_000,
    maxBuffer: 16 << 20,
  });
  return stdout;
}

const pairs = {
  ecdsa: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  ed25519: generateKeyPairSync("ed25519"),
};

beforeAll(async () => {
  keys = join(workspace.dir, "keys");
  await mkdir(keys);
  ({ plane, registry } = await startCluster(workspace));
  await cosign("generate-key-pair");
  const read = async (file: string): Promise<string> => await readFile(join(keys, file), "utf8");
  await plane.admin.create(secret("cosign", { "cosign.key": await read("cosign.key"), "cosign.password": password }));
  await plane.admin.create(secret("cosign-pub", { "cosign.pub": await read("cosign.pub") }));
  for (const [kind, { privateKey, publicKey }] of Object.entries(pairs)) {
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await writeFile(join(keys, `${kind}.pub`), publicKey.export({ type: "spki", format: "pem" }));
    await plane.admin.create(secret(kind, { "cosign.key": pem }));
  }
  controller = await startStrata(workspace, plane);
  await startSourceController(workspace, plane);
});

const published = (name: string): string => `${registry.host}/signed-by-us/${name}`;

/** An object that pushes what it makes of flux/app, signed with the key of a Secret. */
function signing(name: string, key: string, sign: Spec = {}): KubeObject {
  const oci = { url: `oci://${published(name)}`, insecure: true, tags: ["stable"] };
  const publish = { externalArtifact: {}, oci: { ...oci, sign: { secretRef: { name: key }, ...sign } } };
  return artifactRepository(name, { registry, path: "flux/app" }, { ref: { tag: "1.0.0" }, publish });
}

const verified = async (command: string, name: string, key: string, ...more: string[]): Promise<string> =>
  await cosign(
    command,
    "--key",
    `${key}.pub`,
    "--insecure-ignore-tlog",
    "--allow-insecure-registry",
    ...more,
    `${published(name)}:stable`,
  );

/** What somebody else says of an artifact. */
async function attestCustom(reference: string): Promise<void> {
  await writeFile(join(keys, "predicate.json"), "{}");
  const offline = ["--use-signing-config=false", "--tlog-upload=false", "--allow-insecure-registry", "--yes"];
  const what = ["--type", "custom", "--predicate", "predicate.json"];
  await cosign("attest", "--key", "cosign.key", ...offline, ...what, reference);
}

interface Referrer {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What the index under the fallback tag lists: the registry has no API for it. */
async function referrersOf(repository: string, digest: string): Promise<readonly Referrer[]> {
  const index = await crane(["manifest", `${repository}:${digest.replace(":", "-")}`]);
  return (JSON.parse(index) as { manifests: Referrer[] }).manifests;
}

describe("what is pushed", () => {
  it.each(["cosign", ...Object.keys(pairs)])("is verified by cosign, with its attestation: %s", async (key) => {
    const name = `by-${key}`;
    await plane.admin.create(signing(name, key));
    await readyRepository(plane, name);
    await verified("verify", name, key);
    const envelope = JSON.parse(await verified("verify-attestation", name, key, "--type", derivationType)) as {
      payload: string;
    };
    const statement = JSON.parse(Buffer.from(envelope.payload, "base64").toString()) as Record<string, unknown>;
    expect(statement).toMatchObject({
      predicateType: derivationType,
      predicate: {
        builder: { name: "strata" },
        upstream: {
          url: `oci://${registry.host}/flux/app`,
          tag: "1.0.0",
          digest: await digestOfTag(`${registry.host}/flux/app:1.0.0`),
        },
        selection: { operation: "Extract", layerCount: 1 },
      },
    });
    const other = key === "cosign" ? "rsa" : "cosign";
    await expect(verified("verify", name, other)).rejects.toThrow(/invalid signature|no signatures|verif/i);
  });

  it("is signed once, also by a controller that starts anew", async () => {
    const tags = async (): Promise<string> => await crane(["ls", published("by-cosign")]);
    const listed = async (): Promise<string> =>
      await crane([
        "manifest",
        `${published("by-cosign")}:${(await digestOfTag(`${published("by-cosign")}:stable`))!.replace(":", "-")}`,
      ]);
    const before = [await tags(), await listed()];
    await controller.server.stop();
    controller = await controller.restart();
    await reconcileNow(plane, "by-cosign");
    expect([await tags(), await listed()]).toEqual(before);
  });

  it.each<[string, Spec]>([
    ["bundle", {}],
    ["legacy", { legacyTag: true }],
  ])("is accepted by source-controller: %s", async (form, sign) => {
    const name = `flux-${form}`;
    await plane.admin.create(signing(name, "cosign", sign));
    await readyRepository(plane, name);
    await plane.admin.create({
      apiVersion: "source.toolkit.fluxcd.io/v1",
      kind: "OCIRepository",
      metadata: { name, namespace },
      spec: {
        url: `oci://${published(name)}`,
        insecure: true,
        interval: "10m",
        ref: { tag: "stable" },
        verify: { provider: "cosign", secretRef: { name: "cosign-pub" } },
      },
    });
    const object = await plane.admin.waitFor(ociRepositoryRef(name), "verified", isReady);
    expect(isCondition(object, "SourceVerified", "True")).toBe(true);
  });

  it("leads back to upstream: strata verify --derivation", async () => {
    const args = [
      "verify",
      `oci://${published("by-cosign")}:stable`,
      "--key",
      join(keys, "cosign.pub"),
      "--derivation",
      "--insecure",
    ];
    const { code, stdout } = await strata([...args, "--output", "json"]);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ verified: true, rebuilt: expect.objectContaining({ reproducible: true }) }),
    ]);
    const wrong = await strata(args.map((arg) => arg.replace("cosign.pub", "rsa.pub")));
    expect([wrong.code, wrong.stdout]).toEqual([3, ""]);
  });
});

describe("upstream's referrers", () => {
  it("go along with the bytes that they are about, once", async () => {
    const upstream = `${registry.host}/attested/app`;
    await crane(["copy", `${registry.host}/flux/app:1.0.0`, `${upstream}:1.0.0`]);
    const digest = (await digestOfTag(`${upstream}:1.0.0`))!;
    await attestCustom(`${upstream}@${digest}`);
    const [original] = await referrersOf(upstream, digest);
    const object = artifactRepository(
      "attested",
      { registry, path: "attested/app" },
      {
        ref: { tag: "1.0.0" },
        publish: {
          oci: { url: `oci://${published("attested")}`, insecure: true, tags: ["stable"], referrers: "Copy" },
        },
      },
    );
    await plane.admin.create(object);
    await readyRepository(plane, "attested");
    const pushed = (await digestOfTag(`${published("attested")}:stable`))!;
    const copies = await referrersOf(published("attested"), pushed);
    expect(copies.map(({ annotations }) => annotations?.["source.strata.dev/copied-from"])).toEqual([original?.digest]);
    await reconcileNow(plane, "attested");
    expect(await referrersOf(published("attested"), pushed)).toEqual(copies);
  });
});

describe("a key that is not there", () => {
  it("is told, nothing is pushed, and the object recovers", async () => {
    await plane.admin.create(signing("later", "later"));
    await plane.admin.waitFor(repositoryRef("later"), "refused", (object) =>
      isCondition(object, "Published", "False", "SigningFailed"),
    );
    expect(await digestOfTag(`${published("later")}:stable`)).toBeUndefined();
    const pem = pairs.rsa.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    await plane.admin.create(secret("later", { "cosign.key": pem }));
    await readyRepository(plane, "later");
    await verified("verify", "later", "rsa");
  });
});

describe("the object's deletion", () => {
  it("takes its signatures along, and leaves those of others", async () => {
    const name = "going";
    await plane.admin.create(signing(name, "ecdsa", { legacyTag: true }));
    await readyRepository(plane, name);
    const digest = (await digestOfTag(`${published(name)}:stable`))!;
    await attestCustom(`${published(name)}@${digest}`);
    expect(await referrersOf(published(name), digest)).toHaveLength(3);
    await plane.admin.delete(repositoryRef(name));
    await expect.poll(async () => await plane.admin.find(repositoryRef(name)), { timeout: 30_000 }).toBeUndefined();
    expect(await digestOfTag(`${published(name)}@${digest}`)).toBeUndefined();
    expect(await digestOfTag(`${published(name)}:${digest.replace(":", "-")}.sig`)).toBeUndefined();
    expect(await referrersOf(published(name), digest)).toHaveLength(1);
  });
});
