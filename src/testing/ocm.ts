import { createHash, generateKeyPairSync, constants, sign, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseDescriptor } from "../component/descriptor.ts";
import { normalisedForms } from "../component/normalisation.ts";

/** Component versions that the real `ocm` made, signed with the key of fixtures/ocm.pub: the image layouts `app`, `lib` and `plain`. */
export const ocmFixturesDir = fileURLToPath(
  new URL("fixtures/oci/fx/component-descriptors/fx.example", import.meta.url),
);
export const ocmPublicKey = readFileSync(fileURLToPath(new URL("fixtures/ocm.pub", import.meta.url)), "utf8");

export const descriptorType = "application/vnd.ocm.software.component-descriptor.v2+json";
const configType = "application/vnd.ocm.software.component.config.v1+json";
const artifactType = "application/vnd.ocm.software.component-descriptor.v2";

type Json = Record<string, unknown>;

/** A descriptor to make up; what is left out is usual. */
export function descriptorOf(component: Json, signatures?: readonly Json[]): Json {
  return {
    meta: { schemaVersion: "v2" },
    component: { name: "fx.example/made", version: "1.0.0", provider: "fx.example", ...component },
    ...(signatures && { signatures }),
  };
}

export const sha256Hex = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("hex");

/** As a resource states the digest of its content. */
export const blobDigest = (bytes: Uint8Array | string): Json => ({
  hashAlgorithm: "SHA-256",
  normalisationAlgorithm: "genericBlobDigest/v1",
  value: sha256Hex(bytes),
});

/** A resource whose content is a layer beside the descriptor. */
export function localResource(name: string, bytes: Uint8Array | string, more: Json = {}): Json {
  return {
    name,
    version: "1.0.0",
    type: "blob",
    relation: "local",
    access: { type: "LocalBlob/v1", localReference: `sha256:${sha256Hex(bytes)}`, mediaType: "application/yaml" },
    digest: blobDigest(bytes),
    ...more,
  };
}

/** The manifest of a component version, with its blobs, as something that can be put into a registry or a repository in memory. */
export function componentArtifact(
  descriptor: Json | string | Uint8Array,
  blobs: readonly (string | Uint8Array)[] = [],
  mediaType = descriptorType,
) {
  const bytes =
    typeof descriptor === "string" || descriptor instanceof Uint8Array
      ? Buffer.from(descriptor as Uint8Array)
      : Buffer.from(JSON.stringify(descriptor));
  return {
    artifactType,
    config: { mediaType: configType, bytes: Buffer.from("{}") },
    layers: [
      { mediaType, bytes },
      ...blobs.map((blob) => ({ mediaType: "application/yaml", bytes: Buffer.from(blob as Uint8Array) })),
    ],
  };
}

export const rsaKeys = (): { publicKey: KeyObject; privateKey: KeyObject } =>
  generateKeyPairSync("rsa", { modulusLength: 2048 });

interface SignOptions {
  readonly name: string;
  readonly algorithm: "RSASSA-PSS" | "RSASSA-PKCS1-V1_5";
  readonly hash: "SHA-256" | "SHA-512";
  /** Media type of a signature in PEM; else it is in hexadecimal digits. */
  readonly pem?: string;
}

const usual: SignOptions = { name: "default", algorithm: "RSASSA-PSS", hash: "SHA-256" };

/** The descriptor with a signature, as `ocm sign component-version` makes it. */
export function signDescriptor(descriptor: Json, key: KeyObject, options: Partial<SignOptions> = {}): Json {
  const { name, algorithm, hash, pem } = { ...usual, ...options };
  const node = hash === "SHA-256" ? "sha256" : "sha512";
  const bytes = Buffer.from(JSON.stringify(descriptor));
  const [text = ""] = normalisedForms(parseDescriptor(bytes, descriptorType, "made up"));
  const isPss = algorithm === "RSASSA-PSS";
  const raw = sign(node, Buffer.from(text), { key, ...(isPss && { padding: constants.RSA_PKCS1_PSS_PADDING }) });
  const plain = `application/vnd.ocm.signature.rsa${isPss ? ".pss" : ""}`;
  const value = createHash(node).update(text).digest("hex");
  const signature = {
    name,
    digest: { hashAlgorithm: hash, normalisationAlgorithm: "jsonNormalisation/v4alpha1", value },
    signature: {
      algorithm,
      mediaType: pem ?? plain,
      value: pem === undefined ? raw.toString("hex") : pemOf(raw, algorithm),
    },
  };
  return { ...descriptor, signatures: [...signaturesOf(descriptor), signature] };
}

function signaturesOf({ signatures }: Json): readonly unknown[] {
  return Array.isArray(signatures) ? signatures : [];
}

function pemOf(raw: Buffer, algorithm: string): string {
  const lines = raw.toString("base64").match(/.{1,64}/g) ?? [];
  return [
    "-----BEGIN SIGNATURE-----",
    `Signature Algorithm: ${algorithm}`,
    "",
    ...lines,
    "-----END SIGNATURE-----",
    "",
  ].join("\n");
}
