import { createHash, type KeyObject, sign } from "node:crypto";
import type { Digest } from "../../oci/types.ts";
import {
  type CertificateOptions,
  codeSigning,
  der,
  derUtf8,
  ecKeys,
  makeCertificate,
  type TestCertificate,
} from "./certificates.ts";
import { dsseBundle, inTotoType, pae, signWith, statement } from "./cosign-signatures.ts";
import { TestRekor } from "./rekor.ts";
import type { TestLayer } from "./signed-artifact.ts";
import { TestTimestampAuthority } from "./timestamps.ts";

interface Log {
  readonly keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  readonly id: Buffer;
}

export interface LeafOptions {
  readonly subject?: string;
  readonly issuer?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly curve?: string;
  /** The public key of another's pair; the private key of the certificate is not ours then. */
  readonly publicKey?: KeyObject;
  /** Whether the certificate carries proof of having been logged; default true. */
  readonly logged?: boolean;
}

export interface TimestampedOptions extends LeafOptions {
  readonly at?: Date;
}

export interface LogEntryOptions {
  readonly integratedTime?: Date;
  /** What the log was shown, where it differs from what was signed. */
  readonly signedDigest?: string;
}

/** A private Sigstore: certificate authority, certificate log and signature log, with the trusted root that names them. */
export class TestSigstore {
  readonly root: TestCertificate = makeCertificate({
    subject: { O: "sigstore.test", CN: "root" },
    ca: true,
    notBefore: new Date("2020-01-01T00:00:00Z"),
  });
  /** Not in the trusted root, unless a test asks for it. */
  readonly tsa = new TestTimestampAuthority();
  /** Likewise. */
  readonly rekor2 = new TestRekor();
  readonly #ctlog = makeLog();
  readonly #rekor = makeLog();

  /** The logs of the first version, as `trusted_root.json` lists them. */
  get tlogs() {
    return [listed(this.#rekor, "https://rekor.test")];
  }

  /** `trusted_root.json` */
  trustedRoot(changes: Readonly<Record<string, unknown>> = {}): string {
    return JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
      tlogs: this.tlogs,
      certificateAuthorities: [
        {
          subject: { organization: "sigstore.test", commonName: "root" },
          uri: "https://fulcio.test",
          certChain: { certificates: [{ rawBytes: this.root.certificate.raw.toString("base64") }] },
          validFor: { start: "2020-01-01T00:00:00Z" },
        },
      ],
      ctlogs: [listed(this.#ctlog, "https://ctfe.test")],
      timestampAuthorities: [],
      ...changes,
    });
  }

  /** `trusted_root.json` of a Sigstore with a log of the second version. */
  newerRoot(): string {
    return this.trustedRoot({ tlogs: [this.rekor2.listed()], timestampAuthorities: [this.tsa.listed] });
  }

  /** `trusted_root.json` of a Sigstore that logs no signatures. */
  rootWithoutLog(): string {
    return this.trustedRoot({ tlogs: [], timestampAuthorities: [this.tsa.listed] });
  }

  /** A short-lived signing certificate; by default it expired long ago. */
  leaf(options: LeafOptions = {}): TestCertificate {
    const {
      subject = "https://github.test/org/app/.github/workflows/release.yaml@refs/heads/main",
      issuer = "https://token.actions.test",
      logged = true,
    } = options;
    const notBefore = options.notBefore ?? new Date("2025-03-01T12:00:00Z");
    const certificate: CertificateOptions = {
      subject: {},
      issuer: this.root,
      keys: { ...ecKeys(options.curve), ...(options.publicKey && { publicKey: options.publicKey }) },
      notBefore,
      notAfter: options.notAfter ?? new Date(notBefore.getTime() + 600_000),
      purposes: [codeSigning],
      uri: subject,
      extensions: [{ oid: "1.3.6.1.4.1.57264.1.8", value: derUtf8(issuer) }],
      ...(logged && {
        precertificate: (tbs: Buffer, issuerKeyHash: Buffer) => this.#sct(tbs, issuerKeyHash, notBefore),
      }),
    };
    return makeCertificate(certificate);
  }

  /** A keyless bundle as `cosign sign` makes it, which no log but a timestamp vouches for. */
  timestamped(
    digest: Digest,
    { at = new Date("2025-03-01T12:01:00Z"), ...options }: TimestampedOptions = {},
  ): TestLayer {
    const leaf = this.leaf({ notBefore: new Date(at.getTime() - 60_000), ...options });
    const payload = statement(digest);
    const signature = signWith(leaf.privateKey)(pae(inTotoType, payload));
    return dsseBundle(payload, () => signature, {
      material: {
        certificate: { rawBytes: leaf.certificate.raw.toString("base64") },
        timestampVerificationData: {
          rfc3161Timestamps: [{ signedTimestamp: this.tsa.stamp(signature, at).toString("base64") }],
        },
      },
    });
  }

  /** RFC 6962, section 3: the log's promise to include the precertificate, as an extension of the certificate. */
  #sct(tbs: Buffer, issuerKeyHash: Buffer, time: Date) {
    const timestamp = uint(time.getTime(), 8);
    const signed = Buffer.concat([
      Buffer.from([0, 0]),
      timestamp,
      uint(1, 2),
      issuerKeyHash,
      uint(tbs.length, 3),
      tbs,
      uint(0, 2),
    ]);
    const signature = sign("sha256", signed, this.#ctlog.keys.privateKey);
    const sct = Buffer.concat([
      Buffer.from([0]),
      this.#ctlog.id,
      timestamp,
      uint(0, 2),
      Buffer.from([4, 3]),
      uint(signature.length, 2),
      signature,
    ]);
    const list = Buffer.concat([uint(sct.length + 2, 2), uint(sct.length, 2), sct]);
    return { oid: "1.3.6.1.4.1.11129.2.4.2", value: der(0x04, list) };
  }

  /** The signature log's entry for a signature, with its signed promise and a proof in a tree of one. */
  logEntry(
    signed: Buffer,
    signature: Buffer,
    leaf: TestCertificate,
    { integratedTime = new Date("2025-03-01T12:01:00Z"), signedDigest }: LogEntryOptions = {},
  ) {
    const value = signedDigest ?? createHash("sha256").update(signed).digest("hex");
    const publicKey = Buffer.from(leaf.certificate.toString()).toString("base64");
    const spec = {
      data: { hash: { algorithm: "sha256", value } },
      signature: { content: signature.toString("base64"), publicKey: { content: publicKey } },
    };
    const body = Buffer.from(JSON.stringify({ apiVersion: "0.0.1", kind: "hashedrekord", spec }));
    const promised = {
      body: body.toString("base64"),
      integratedTime: Math.floor(integratedTime.getTime() / 1000),
      logID: this.#rekor.id.toString("hex"),
      logIndex: 0,
    };
    const promise = sign("sha256", Buffer.from(JSON.stringify(promised)), this.#rekor.keys.privateKey).toString(
      "base64",
    );
    return { promised, promise, body, entry: this.#provenEntry(promised, promise, body) };
  }

  #provenEntry(promised: { readonly integratedTime: number }, promise: string, body: Buffer) {
    const rootHash = createHash("sha256")
      .update(Buffer.from([0]))
      .update(body)
      .digest();
    const note = `rekor.test\n1\n${rootHash.toString("base64")}\n`;
    const signature = Buffer.concat([
      this.#rekor.id.subarray(0, 4),
      sign("sha256", Buffer.from(note), this.#rekor.keys.privateKey),
    ]);
    return {
      logIndex: "0",
      logId: { keyId: this.#rekor.id.toString("base64") },
      kindVersion: { kind: "hashedrekord", version: "0.0.1" },
      integratedTime: String(promised.integratedTime),
      inclusionPromise: { signedEntryTimestamp: promise },
      inclusionProof: {
        logIndex: "0",
        rootHash: rootHash.toString("base64"),
        treeSize: "1",
        hashes: [],
        checkpoint: { envelope: `${note}\n— rekor.test ${signature.toString("base64")}\n` },
      },
      canonicalizedBody: body.toString("base64"),
    };
  }
}

function listed({ keys, id }: Log, baseUrl: string) {
  return {
    baseUrl,
    hashAlgorithm: "SHA2_256",
    publicKey: {
      rawBytes: spki(keys.publicKey).toString("base64"),
      keyDetails: "PKIX_ECDSA_P256_SHA_256",
      validFor: { start: "2020-01-01T00:00:00Z" },
    },
    logId: { keyId: id.toString("base64") },
  };
}

function makeLog(): Log {
  const keys = ecKeys();
  return { keys, id: createHash("sha256").update(spki(keys.publicKey)).digest() };
}

function uint(value: number, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64BE(BigInt(value));
  return buffer.subarray(8 - bytes);
}

const spki = (key: KeyObject): Buffer => key.export({ type: "spki", format: "der" });
